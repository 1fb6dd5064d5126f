/**
 * Colours, for terminals only: not in files and pipes, not with NO_COLOR (https://no-color.org), not on a dumb terminal.
 */
const CODES = { red: 31, bold: 1 } as const;

export interface ColourOutput {
  readonly isTTY?: boolean;
}

/** The text as it is, where the output takes no colours. */
export function painted(
  text: string,
  colour: keyof typeof CODES,
  output: ColourOutput,
  environment: NodeJS.ProcessEnv,
): string {
  const { NO_COLOR: none = '', TERM: terminal } = environment;
  if (output.isTTY !== true || none !== '' || terminal === 'dumb') return text;
  return `\x1b[${CODES[colour]}m${text}\x1b[0m`;
}
