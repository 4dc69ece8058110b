import type { HarmKind } from '../faults/harm.js';
import type { Report } from './report.js';

const HARMS: readonly (readonly [HarmKind, string])[] = [
  ['kill', 'SIGKILL'],
  ['stop', 'SIGSTOP for more than a lease, SIGCONT'],
  ['term', 'SIGTERM'],
  ['cut', 'connections cut, with answers lost'],
  ['producer', "the producer's connections cut"],
];
const WARNINGS = 8;

/** The report as text. */
export function renderReport(report: Report): string {
  const { options, server } = report;
  const head =
    `── chaos: seed ${options.seed}, ${options.minutes} min, ${options.processes} processes, ${options.cards} cards, ` +
    `${options.rate} events a second, lease ${options.lease} ms; Redis: ${server}`;
  return [
    head,
    '',
    ...aligned(report.figures.map(({ name, value, note = '' }) => [name, number(value), note])),
    '',
    ...aligned([
      ['harm', 'times', 'cards held', 'hand-over p50', 'p99', 'max'],
      ...HARMS.map(([kind, name]) => harm(kind, name, report)),
    ]),
    '',
    `  drained ${number(report.drainedAfter)} ms after the last event`,
    '',
    ...report.checks.map(({ name, ok, found }) => `  ${ok ? '✓' : '✗'} ${name}${found === '' ? '' : `: ${found}`}`),
    ...warnings(report),
  ].join('\n');
}

function harm(kind: HarmKind, name: string, { harms, handOvers }: Report): string[] {
  const times = handOvers[kind];
  const ms = (value: number | undefined): string => (value === undefined ? '' : `${number(value)} ms`);
  return [
    name,
    number(harms[kind] ?? 0),
    times === undefined ? '' : number(times.count),
    ms(times?.p50),
    ms(times?.p99),
    ms(times?.max),
  ];
}

function warnings(report: Report): string[] {
  const lines = Object.entries(report.warnings)
    .sort(([, a], [, b]) => b - a)
    .slice(0, WARNINGS);
  return lines.length === 0
    ? []
    : ['', ...aligned([['said by the processes', 'times'], ...lines.map(([line, count]) => [line, number(count)])])];
}

/** The first column to the left, notes of words to the left too, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  const left = (column: number): boolean =>
    column === 0 || rows.every((row) => !/^[\d,.]+( ms)?$/.test(row[column] ?? ''));
  return rows.map((row) =>
    `  ${row.map((cell, column) => (left(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`.trimEnd(),
  );
}

function number(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 });
}
