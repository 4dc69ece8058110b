import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { VERDICT_RELEASE, type Delivery } from '../../core/delivery.js';
import { TestClock, turns } from '../../testing/clock.js';
import type { MemoryDriver } from './memory-driver.js';
import { FAILED, World, type Inbox } from './memory.spec-kit.js';

/** A process of the group, and what it has in hand. */
class Process {
  ended = 0;
  constructor(
    readonly driver: MemoryDriver,
    readonly inbox: Inbox,
  ) {}

  next(): Delivery | undefined {
    return this.ended < this.inbox.taken.length ? this.inbox.taken[this.ended++] : undefined;
  }

  async leave(): Promise<void> {
    for (let held = this.next(); held !== undefined; held = this.next())
      void this.inbox.source.settle(held, VERDICT_RELEASE);
    await this.driver.close();
  }
}

const which = fc.nat(99);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('publish' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ack' as const), which }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('retry' as const), which, delay: fc.constantFrom(0, 1, 50, 900) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('dead' as const), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('replay' as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'leave' as const, 'crash' as const), which }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 10, 100, 1_000) }) },
);

describe('the memory backend, whatever its processes do', () => {
  it('each event ends once: handled, or a dead letter; and each attempt is accounted for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const world = new World(new TestClock(0), Infinity);
        const publisher = await world.driver();
        const group = await world.listen(publisher);
        group.places = 0;
        const processes: Process[] = [];
        const handled: string[] = [];
        let published = 0;
        const join = async (): Promise<void> => {
          const driver = await world.driver();
          processes.push(new Process(driver, await world.listen(driver)));
        };
        // Crashes before the last retry are in its attempt, and no longer in its count of crashes.
        const crashesBefore = new Map<string, number>();
        const settle = (process: Process | undefined, act: (delivery: Delivery, inbox: Inbox) => void): void => {
          const delivery = process?.next();
          if (process === undefined || delivery === undefined) return;
          expect(delivery.attempt).toBe(
            1 + delivery.failures + delivery.crashes + (crashesBefore.get(delivery.event?.id ?? '') ?? 0),
          );
          act(delivery, process.inbox);
        };
        const ack = (delivery: Delivery, inbox: Inbox): void => {
          handled.push(delivery.event?.id ?? '');
          void inbox.source.settle(delivery, { kind: 'ack' });
        };
        for (const each of steps) {
          if ('which' in each) await turns(1);
          const process = 'which' in each ? processes[each.which % Math.max(1, processes.length)] : undefined;
          if (each.do === 'publish') publisher.publish(world.event(String(published++)));
          else if (each.do === 'ack') settle(process, ack);
          else if (each.do === 'retry')
            settle(process, (delivery, inbox) => {
              const { attempt, failures, crashes, event } = delivery;
              const id = event?.id ?? '';
              crashesBefore.set(id, (crashesBefore.get(id) ?? 0) + crashes);
              const row = { handler: 'charge', delay: each.delay, attempt: attempt + 1, failures: failures + 1 };
              void inbox.source.settle(delivery, { kind: 'ack', retries: [row] });
            });
          else if (each.do === 'dead')
            settle(process, (delivery, inbox) => {
              void inbox.source.settle(delivery, { kind: 'ack', deadLetters: [FAILED] });
            });
          else if (each.do === 'release')
            settle(process, (delivery, inbox) => {
              void inbox.source.settle(delivery, VERDICT_RELEASE);
            });
          else if (each.do === 'replay') {
            const [letter] = await publisher.deadLetters.read('order', undefined, 1);
            if (letter !== undefined) {
              crashesBefore.delete(letter.event?.id ?? '');
              await publisher.deadLetters.replay('order', letter.position, 'op');
            }
          } else if (each.do === 'join') await join();
          else if (each.do === 'wait') await world.clock.advance(each.ms);
          else if (process !== undefined) {
            processes.splice(processes.indexOf(process), 1);
            await (each.do === 'leave' ? process.leave() : process.driver.close());
          }
        }
        // In the end everything that is left is handled.
        await join();
        for (let quiet = 0; quiet < 3; quiet++) {
          await world.clock.advance(1_000);
          await turns();
          for (const process of processes)
            for (let left = process.inbox.taken.length - process.ended; left > 0; left--) {
              settle(process, ack);
              quiet = 0;
            }
        }
        const letters = await publisher.deadLetters.read('order', undefined, Infinity);
        const ends = [...handled, ...letters.map(({ event }) => event?.id ?? '')].map(Number);
        expect(ends.sort((a, b) => a - b)).toEqual(Array.from({ length: published }, (_, number) => number));
        expect(await publisher.deadLetters.outstanding('order', 'billing')).toBe(0);
      }),
    );
  });

  it('retries come in the order in which they are due, of one moment in the order of failing', async () => {
    const failure = fc.record({ delay: fc.nat(30), after: fc.constantFrom(0, 0, 1, 7) });
    await fc.assert(
      fc.asyncProperty(fc.array(failure, { maxLength: 30, size: 'max' }), async (failures) => {
        const world = new World(new TestClock(0), Infinity);
        const driver = await world.driver();
        const inbox = await world.listen(driver);
        for (const id of failures.keys()) driver.publish(world.event(String(id)));
        await turns();
        const first = [...inbox.taken];
        inbox.taken.length = 0;
        const rows: { due: number; id: string }[] = [];
        for (const [index, { delay, after }] of failures.entries()) {
          const [delivery, id] = [first[index], String(index)];
          if (delivery === undefined) throw new Error('not delivered');
          rows.push({ due: world.clock.now() + delay, id });
          const row = { handler: 'charge', delay, attempt: 2, failures: 1 };
          void inbox.source.settle(delivery, { kind: 'ack', retries: [row] });
          await world.clock.advance(after);
        }
        await world.clock.advance(30);
        rows.sort((a, b) => a.due - b.due);
        expect(inbox.ids).toEqual(rows.map(({ id }) => id));
      }),
    );
  });
});
