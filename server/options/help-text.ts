/**
 * --help, from a program's option table.
 */
import type { OptionDefinition } from './option-table.ts';

const COLUMN = 34;
const WIDTH = 100;

/** @param usage the lines above the options, such as how to call the program. */
export function helpText(usage: string, table: readonly OptionDefinition[]): string {
  const shown = table.filter((option) => option.refused === undefined && option.fileOnly !== true);
  const groups = [...new Set(shown.map((option) => option.group))];
  const sections = groups.map((group) => {
    const lines = shown.filter((option) => option.group === group).map(optionLine);
    return `${group}:\n${lines.join('\n')}`;
  });
  return `${usage}\n\n${sections.join('\n\n')}\n`;
}

function optionLine(option: OptionDefinition): string {
  const short = option.short === undefined ? '' : `-${option.short}, `;
  const value = option.type === 'switch' ? '' : ` ${option.value ?? '<value>'}`;
  const left = `  ${short}--${option.flag}${value}`;
  const text = option.yaml === undefined ? option.help : `${option.help} [${option.yaml}]`;
  const lines = wrap(text, WIDTH - COLUMN);
  const indent = ' '.repeat(COLUMN);
  const first = left.length < COLUMN - 1 ? left.padEnd(COLUMN) : `${left}\n${indent}`;
  return first + lines.join(`\n${indent}`);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
