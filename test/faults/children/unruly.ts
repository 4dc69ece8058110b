import { createEventBus, Reject, RetryLater, type CreateEventBusOptions, type EventContext } from 'nestjs-cardinal';

/** What the handler does with an event, attempt by attempt; the last one for all later attempts. */
export type Deed = 'ok' | 'fail' | 'later' | 'reject' | 'hang' | 'crash';

export interface Unruly {
  readonly number: number;
  readonly plan: readonly Deed[];
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const options = JSON.parse(process.argv[2] ?? '') as CreateEventBusOptions;
const silent = { log: () => {}, debug: () => {}, warn: () => {}, error: () => {} };
const bus = await createEventBus({ service: 'test', logger: silent, ...options });

await bus.subscribe(
  'work',
  async ({ number, plan }: Unruly, { attempt, signal }: EventContext) => {
    const deed = plan[Math.min(attempt, plan.length) - 1];
    say(`got ${String(number)} ${String(attempt)} ${String(deed)}`);
    await new Promise((resolve) => setImmediate(resolve));
    if (deed === 'crash') process.kill(process.pid, 'SIGKILL');
    if (deed === 'fail') throw new Error('fail');
    if (deed === 'later') throw new RetryLater(50);
    if (deed === 'reject') throw new Reject('no');
    // Ends when it is told to, as a handler should.
    if (deed === 'hang')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    say(`done ${String(number)}`);
  },
  { group: 'g', name: 'unruly', timeout: 300, retry: { attempts: 3, delay: 20, maxDelay: 100 } },
);
say('ready');
