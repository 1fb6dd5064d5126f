/**
 * Lines over time as an SVG: panels below one another, each with its own axis, its lines named beside it.
 */

export interface Line {
  readonly title: string;
  readonly values: readonly number[];
  /** Shown as a bound: thin and dashed. */
  readonly isBound?: boolean;
}

export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
  /** Decades instead of equal steps. */
  readonly isLogarithmic?: boolean;
}

const WIDTH = 960;
const PANEL_HEIGHT = 190;
const LEFT = 70;
const RIGHT = 190;
const TOP = 34;
const BOTTOM = 26;
/** Most points of a line: neighbours are averaged beyond. */
const MOST_POINTS = 400;
const COLOURS = ['#1a66b3', '#c4451c', '#2f8f4e', '#7a4fb5', '#8a6d1b', '#444444'];

/** @param secondsApart between two values @param note stands below the panels */
export function plotSvg(panels: readonly Panel[], secondsApart: number, note: string): string {
  const height = panels.length * PANEL_HEIGHT + 30;
  const body = panels.map((panel, index) => panelSvg(panel, index * PANEL_HEIGHT, secondsApart));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    ...body,
    `<text x="${LEFT}" y="${height - 10}" fill="#444">${escaped(note)}</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function panelSvg(panel: Panel, top: number, secondsApart: number): string {
  const { title, lines, isLogarithmic = false } = panel;
  const count = Math.max(...lines.map(({ values }) => values.length));
  const most = Math.max(...lines.flatMap(({ values }) => values.filter(Number.isFinite)));
  const least = Math.min(...lines.flatMap(({ values }) => values.filter((value) => value > 0)));
  const scale = isLogarithmic ? logarithmicScale(least, most) : linearScale(most);
  const plotHeight = PANEL_HEIGHT - TOP - BOTTOM;
  const plotWidth = WIDTH - LEFT - RIGHT;
  const x = (index: number): number => LEFT + (plotWidth * index) / Math.max(1, count - 1);
  const y = (value: number): number => top + TOP + plotHeight * (1 - scale.part(value));
  const parts = [`<text x="${LEFT}" y="${top + 22}" font-size="13">${escaped(title)}</text>`];
  for (const mark of scale.marks) {
    parts.push(
      `<path d="M${LEFT} ${round(y(mark))}H${WIDTH - RIGHT}" stroke="#ddd"/>`,
      `<text x="${LEFT - 6}" y="${round(y(mark) + 4)}" text-anchor="end" fill="#444">${shortNumber(mark)}</text>`,
    );
  }
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const index = (count - 1) * part;
    parts.push(
      `<text x="${round(x(index))}" y="${top + PANEL_HEIGHT - 10}" text-anchor="middle" fill="#444">${timeText(index * secondsApart)}</text>`,
    );
  }
  for (const [index, line] of lines.entries()) {
    const colour = COLOURS[index % COLOURS.length];
    const style = line.isBound === true ? 'stroke-dasharray="5 4"' : 'stroke-width="1.5"';
    parts.push(
      `<path d="${pathOf(line.values, x, y)}" fill="none" stroke="${colour}" ${style}/>`,
      `<text x="${WIDTH - RIGHT + 12}" y="${top + TOP + 10 + index * 16}" fill="${colour}">${escaped(line.title)}</text>`,
    );
  }
  return parts.join('\n');
}

function pathOf(
  values: readonly number[],
  x: (index: number) => number,
  y: (value: number) => number,
): string {
  const step = Math.ceil(values.length / MOST_POINTS);
  let path = '';
  for (let start = 0; start < values.length; start += step) {
    const group = values.slice(start, start + step).filter(Number.isFinite);
    if (group.length === 0) continue;
    const mean = group.reduce((sum, value) => sum + value, 0) / group.length;
    path += `${path === '' ? 'M' : 'L'}${round(x(start + (group.length - 1) / 2))} ${round(y(mean))}`;
  }
  return path;
}

interface Scale {
  readonly marks: readonly number[];
  /** Between 0 at the bottom and 1 at the top. */
  readonly part: (value: number) => number;
}

function linearScale(most: number): Scale {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1e-9)));
  const step = [0.2, 0.5, 1, 2].map((factor) => factor * power).find((size) => most / size <= 5);
  const size = step ?? power * 2;
  const end = Math.ceil(most / size) * size;
  const marks = Array.from({ length: Math.round(end / size) + 1 }, (_, index) => index * size);
  return { marks, part: (value) => value / end };
}

function logarithmicScale(least: number, most: number): Scale {
  const first = Math.floor(Math.log10(least));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most)));
  const marks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  return {
    marks,
    part: (value) => Math.max(0, (Math.log10(Math.max(value, 1e-9)) - first) / (last - first)),
  };
}

function timeText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(Math.round(seconds % 60)).padStart(2, '0')}`;
}

function shortNumber(value: number): string {
  if (value >= 1000) return `${Number((value / 1000).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

function round(value: number): string {
  return value.toFixed(1);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
