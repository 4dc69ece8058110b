import type { Handle, InProcessSystem, OpenInProcessSystem } from '../contenders/in-process/in-process-system.js';
import { order, orderNumber, small, type Payload } from '../contenders/payload.js';
import { Tally } from '../contenders/tally.js';
import type { Figures, Role, Setup, Task } from '../harness/bench.js';

const SYSTEMS: Readonly<Record<string, () => Promise<OpenInProcessSystem>>> = {
  'event-emitter2': async () => (await import('../contenders/in-process/event-emitter2.js')).openEventEmitter2,
  'nest-event-emitter': async () =>
    (await import('../contenders/in-process/nest-event-emitter.js')).openNestEventEmitter,
  cardinal: async () => (await import('../contenders/in-process/cardinal.js')).openCardinal,
  'cardinal-options': async () => (await import('../contenders/in-process/cardinal-options.js')).openCardinalOptions,
  'nest-cardinal': async () => (await import('../contenders/in-process/nest-cardinal.js')).openNestCardinal,
};

/** Emitted in one go before the event loop has its turn. */
const BURST = 1_000;

type Make = (i: number) => Payload;

/** Publishes to one handler of its own process. Options: `payload`: `'small'` or `'order'`; `asynchronous`. */
export async function open(setup: Setup): Promise<Role> {
  const load = SYSTEMS[setup.system];
  if (load === undefined) throw new Error(`no system '${setup.system}'`);
  const tally = new Tally();
  const big = setup.options['payload'] === 'order';
  const make: Make = big ? order : small;
  const count = big
    ? (payload: Payload): void => {
        tally.count(orderNumber(payload));
      }
    : (payload: Payload): void => {
        tally.count(payload.i);
      };
  const handle: Handle =
    setup.options['asynchronous'] === true
      ? async (payload) => {
          await Promise.resolve();
          count(payload);
        }
      : count;
  const system = await (await load())(setup, handle);
  return {
    run: async (task: Task): Promise<Figures> => {
      const events = Number(task['events']);
      const { first, all } = tally.expect(events);
      const start = performance.now();
      await send(system, String(task['how']), make, first, events, tally);
      // Every handler has run before the clock stops.
      await all;
      const seconds = (performance.now() - start) / 1_000;
      tally.check();
      return { rate: events / seconds, nanos: (seconds * 1e9) / events };
    },
    close: () => system.close(),
  };
}

async function send(
  system: InProcessSystem,
  how: string,
  make: Make,
  first: number,
  events: number,
  tally: Tally,
): Promise<void> {
  const end = first + events;
  switch (how) {
    case 'publish':
      for (let i = first; i < end; i++) await system.publish(make(i));
      return;
    case 'settle':
      if (system.settle === undefined) throw new Error('it cannot settle');
      for (let i = first; i < end; i++) await system.settle(make(i));
      return;
    case 'emit':
      for (let from = first; from < end; from += BURST) {
        const to = Math.min(end, from + BURST);
        for (let i = from; i < to; i++) system.emit(make(i));
        do await new Promise(setImmediate);
        while (tally.missing > end - to);
      }
      return;
    default:
      throw new Error(`unknown way to send: ${how}`);
  }
}
