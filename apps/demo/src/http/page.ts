import type { TopFiles } from '../handlers/leaderboard.js';
import { count } from '../text.js';
import type { Status } from './status.js';

/** The status as a page that needs nothing else. */
export function toPage(status: Status, { top, events }: TopFiles): string {
  const { instanceId, backend, changes, published, files, check } = status;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="refresh" content="2">
    <title>Repository activity</title>
    <style>
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
      table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem }
      th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd }
      td.number { text-align: right; font-variant-numeric: tabular-nums }
      progress { width: 100% }
    </style>
  </head>
  <body>
    <h1>Repository activity</h1>
    <p>Instance <code>${escape(instanceId)}</code> on the <b>${escape(backend)}</b> bus. Self-check: <b>${check}</b></p>
    <p>Published here: ${count(published)} of ${count(changes)} changes</p>
    <progress value="${published}" max="${changes}"></progress>
    <h2>Handled in this process</h2>
    ${table(
      ['subscriber', 'kind', 'events', 'repeats'],
      status.subscribers.map(({ name, kind, events: handled, repeats }) => [name, kind, handled, repeats]),
    )}
    <h2>Audited in this process, by type</h2>
    ${table(['type', 'events'], Object.entries(status.types))}
    <h2>Busiest files</h2>
    ${table(
      ['file', 'changes'],
      top.map(({ file, changes: times }) => [file, times]),
    )}
    <p>${count(files)} files; the leaderboard is of ${count(events)} events.
      As JSON: <a href="/leaderboard">/leaderboard</a>, <a href="/check">/check</a>, <a href="/handled">/handled</a>,
      <a href="/dead-letters">/dead-letters</a></p>
  </body>
</html>
`;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cell = (tag: string, value: string | number): string =>
    typeof value === 'number' ? `<${tag} class="number">${count(value)}</${tag}>` : `<${tag}>${escape(value)}</${tag}>`;
  const row = (tag: string, cells: readonly (string | number)[]): string =>
    `<tr>${cells.map((value) => cell(tag, value)).join('')}</tr>`;
  return `<table>${[row('th', head), ...rows.map((cells) => row('td', cells))].join('\n')}</table>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
