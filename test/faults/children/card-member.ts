import { Redis } from 'ioredis';
import {
  createEventBus,
  Reject,
  type CardContext,
  type CreateEventBusOptions,
  type CardSubscribeOptions,
} from 'nestjs-cardinal';
import { existsSync } from 'node:fs';
import { FencedSink } from '../../../apps/chaos/src/sink/fenced-sink.js';

/**
 * What the handler does with an event, attempt by attempt; the last one for all later attempts. `wait`: until SIGUSR2 comes;
 * `busy`: blocks the process until the gate is there; `crash`: SIGKILL; `effect-…`: after its effect, the others before.
 */
export type Deed = 'ok' | 'fail' | 'reject' | 'wait' | 'effect-wait' | 'busy' | 'crash' | 'effect-crash';

export interface Work {
  readonly number: number;
  readonly plan?: readonly Deed[];
}

export interface CardMemberConfig {
  readonly bus: CreateEventBusOptions;
  readonly topic: string;
  readonly options?: CardSubscribeOptions;
  /** Where effects go. */
  readonly sink: { readonly url: string; readonly name: string };
  /** A file. */
  readonly gate?: string;
  /** Waits for SIGUSR2 with every event of this type. */
  readonly group?: { readonly type: string; readonly name: string };
}

/** One line a thing that happened; on a pipe they are written at once, so they outlive a SIGKILL. */
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const {
  bus: options,
  topic,
  sink: place,
  gate = '',
  group,
  ...rest
} = JSON.parse(process.argv[2] ?? '') as CardMemberConfig;
const sink = new FencedSink(new Redis(place.url, { connectionName: 'sink' }), place.name);
const logger = {
  log: () => {},
  debug: () => {},
  warn: (line: string) => say(`warn ${line}`),
  error: (line: string) => say(`error ${line}`),
};

let open = (): void => {};
const door = new Promise<void>((resolve) => (open = resolve));
process.once('SIGUSR2', () => {
  say('open');
  open();
});

function block(): void {
  const still = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(gate)) Atomics.wait(still, 0, 0, 10);
}

async function handle({ number, plan = ['ok'] }: Work, context: CardContext): Promise<void> {
  const { cardId: card, attempt, fencingToken: token, sequence, signal } = context;
  const deed = plan[Math.min(attempt, plan.length) - 1];
  say(`got ${card} ${String(number)} ${String(attempt)} ${token} ${sequence}`);
  signal.addEventListener('abort', () => say(`aborted ${card} ${String(number)}`));
  if (deed === 'crash') process.kill(process.pid, 'SIGKILL');
  if (deed === 'fail') throw new Error('fail');
  if (deed === 'reject') throw new Reject('no');
  if (deed === 'wait') await door;
  if (deed === 'busy') block();
  const verdict = await sink.apply({ card, token, sequence, note: `${String(number)} ${bus.instanceId}` });
  if (deed === 'effect-crash') process.kill(process.pid, 'SIGKILL');
  if (deed === 'effect-wait') await door;
  say(`done ${card} ${String(number)} ${verdict}`);
}

const bus = await createEventBus({ service: 'test', env: false, logger, ...options });
await bus.cards.subscribe(topic, handle, { name: 'work', ...rest.options });
if (group !== undefined) {
  const wait = async (number: number): Promise<void> => {
    say(`group-got ${String(number)}`);
    await door;
    say(`group-done ${String(number)}`);
  };
  await bus.subscribe(group.type, wait, { group: group.name, name: 'work' });
}
process.once('SIGTERM', () => {
  void bus.close().then(() => {
    say('closed');
    process.exit(0);
  });
});
say(`ready ${bus.instanceId}`);
