import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run chaos -- [options]        (or: node apps/chaos/dist/main.js [options])

Kills, freezes, ends and cuts off processes that handle cards, loses notifications, lets handlers fail, and checks at the
end that nothing was lost and nothing reordered. Exit code 1 when a check fails.

  --minutes <n>     how long it produces and does harm (default: 2)
  --seed <n>        repeats what was drawn before (default: a new one, printed)
  --processes <n>   consumers (default: 3)
  --cards <n>       (default: 500)
  --rate <n>        events a second (default: 1000)
  --lease <ms>      of a card (default: 1000)
  --url <url>       a Redis server to use instead of a private one (only keys that begin with 'chaos:' are touched)
  --json            prints the report as JSON
  --help`;

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly processes: number;
  readonly cards: number;
  readonly rate: number;
  /** ms */
  readonly lease: number;
  readonly url: string | undefined;
  readonly json: boolean;
}

/** Undefined when help is wanted. @throws Error that says what is wrong */
export function parseCli(args: readonly string[]): ChaosOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '2' },
      seed: { type: 'string', default: String(randomInt(2 ** 31)) },
      processes: { type: 'string', default: '3' },
      cards: { type: 'string', default: '500' },
      rate: { type: 'string', default: '1000' },
      lease: { type: 'string', default: '1000' },
      url: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes takes a number above 0, not '${values.minutes}'`);
  return {
    minutes,
    seed: whole('seed', values.seed, 0),
    // One that lives while another is frozen.
    processes: whole('processes', values.processes, 2),
    cards: whole('cards', values.cards, 1),
    rate: whole('rate', values.rate, 1),
    lease: whole('lease', values.lease, 1_000),
    url: values.url,
    json: values.json,
  };
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`--${name} takes a whole number from ${least}, not '${text}'`);
}
