import type { BenchResult, Row } from './runner.js';
import { median } from './stats.js';

/** A bench's result as text. */
export function renderResult(result: BenchResult): string {
  const { columns, rows, goals, baseline } = result;
  const header = ['', columns[0]?.title ?? '', 'ratio', 'min–max', ...columns.slice(1).map(({ title }) => title)];
  const body = rows.map((row) => [row.name, ...cells(row, result)]);
  const widths = header.map((_, index) => Math.max(...[header, ...body].map((line) => width(line[index] ?? ''))));
  const line = (cellsOfLine: readonly string[]): string =>
    cellsOfLine
      .map((cell, index) => {
        const padding = ' '.repeat(Math.max(0, (widths[index] ?? 0) - width(cell)));
        return index === 0 ? cell + padding : padding + cell;
      })
      .join('  ')
      .trimEnd();
  const errors = rows.flatMap(({ name, error }) =>
    error === undefined ? [] : [`  ! ${name}: ${error.split('\n', 1)[0] ?? ''}`],
  );
  const judged = goals.map(({ text, measured, met }) => {
    if (measured === undefined) return `  ? ${text}: not measured`;
    return `  ${met === true ? '✓' : '✗'} ${text}: ${format(measured, 2)}`;
  });
  return [
    `── ${result.name}: ${result.title}`,
    `   ${result.how}`,
    `   Medians of ${rounds(rows)} interleaved rounds; ratio = to ${baseline}, median of the rounds' ratios.`,
    ...disturbance(rows),
    '',
    ...[header, ...body].map((cellsOfLine) => `  ${line(cellsOfLine)}`),
    ...(judged.length > 0 ? ['', ...judged] : []),
    ...(errors.length > 0 ? ['', ...errors] : []),
    '',
  ].join('\n');
}

function cells({ metrics, ratio }: Row, { columns }: BenchResult): string[] {
  const [first, ...others] = columns.map(({ key, digits = 0 }) => ({ summary: metrics[key], digits }));
  const show = (value: number | undefined, digits: number): string =>
    value === undefined ? '–' : format(value, digits);
  const range =
    first?.summary && `${format(first.summary.min, first.digits)}–${format(first.summary.max, first.digits)}`;
  return [
    show(first?.summary?.median, first?.digits ?? 0),
    show(ratio, 2),
    range ?? '–',
    ...others.map(({ summary, digits }) => show(summary?.median, digits)),
  ];
}

/** From this many cores on, other processes take part in the result. */
const DISTURBED = 0.25;

function disturbance(rows: readonly Row[]): string[] {
  const foreign = rows.flatMap((row) => row.foreign ?? []);
  if (foreign.length === 0) return [];
  const text = `   Other processes kept ${format(median(foreign), 1)} cores busy meanwhile (by contender: ${foreign.map((each) => format(each, 1)).join(', ')}).`;
  return [
    Math.max(...foreign) < DISTURBED ? text : `${text} The machine was not quiet: do not trust the rates and ratios.`,
  ];
}

function rounds(rows: readonly Row[]): number {
  return Math.max(0, ...rows.flatMap(({ metrics }) => Object.values(metrics).map((each) => each.rounds.length)));
}

function format(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Every character that we print takes one column. */
function width(text: string): number {
  return text.length;
}
