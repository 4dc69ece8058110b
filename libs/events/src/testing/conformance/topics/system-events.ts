import assert from 'node:assert/strict';
import { SystemEvents, type SystemLife, type SystemWarning } from '../../../bus/system-events.js';
import type { EventHandler } from '../../../core/handler.js';
import { EventsRecorder } from '../../recorder.js';
import { attempts, failing, numbers, publishNumbers, soon } from '../stage.js';
import { promise, type ConformanceTopic } from '../suite.js';

const group = 'billing';
const published = { system: { publish: true } };

function of(recorder: EventsRecorder, cause: string): SystemWarning[] {
  return (recorder.payloads as SystemWarning[]).filter((warning) => warning.cause === cause);
}

export const systemEvents: ConformanceTopic = {
  name: 'system events',
  tests: [
    promise('a failing handler of a system event makes no more of them, and no dead letter', async (s) => {
      const bus = await s.bus();
      const warnings = await s.record(bus, 'system.warning', { retry: soon(2), then: failing() });
      const errors = await s.record(bus, 'system.error', { retry: soon(2), then: failing() });
      await s.record(bus, 'order.created', { group, then: failing(), retry: { attempts: 1 } });
      await bus.publish('order.created', 1);
      await s.letters(bus, 1);
      bus.emit('not a type', 1);
      await s.atLeast(4, warnings, errors);
      await s.exactly(4, warnings, errors);
      assert.deepEqual([attempts(warnings), attempts(errors)], [
        [1, 2],
        [1, 2],
      ]); // prettier-ignore
      await s.letters(bus, 1);
    }),

    promise('handlers of system events that cause others in a circle come to an end', async (s) => {
      const bus = await s.bus();
      let calls = 0;
      await s.record(bus, 'system.error', {
        then: () => {
          calls++;
          bus.emit('not a type', 1);
        },
      });
      bus.emit('not a type', 1);
      await s.until('32 hops', () => calls >= 33);
      await s.quiet();
      assert.equal(calls, 33);
    }),

    promise('a dead letter is a warning that says whose and of what', async (s) => {
      const bus = await s.bus();
      const warnings = await s.record(bus, 'system.warning');
      await s.record(bus, 'order.created', { group, name: 'charge', retry: { attempts: 1 }, then: failing() });
      const { id } = await bus.publish('order.created', 1);
      await s.letters(bus, 1);
      await s.until('a warning', () => of(warnings, 'dead-letter').length > 0);
      const [warning] = of(warnings, 'dead-letter');
      assert.equal(warning?.bus, bus.name);
      for (const part of ['order.created', id, 'handler-failed'])
        assert.ok(warning.message.includes(part), warning.message);
      assert.deepEqual(
        [warning.details?.['type'], warning.details?.['handler'], warning.details?.['group']],
        ['order.created', 'charge', group],
      );
    }),

    promise('so is a dead letter of an ungrouped handler', async (s) => {
      const bus = await s.bus();
      const warnings = await s.record(bus, 'system.warning');
      await s.record(bus, 'order.created', { name: 'charge', retry: { attempts: 1 }, then: failing() });
      await bus.publish('order.created', 1);
      await s.letters(bus, 1);
      await s.until('a warning', () => of(warnings, 'dead-letter').length > 0);
      assert.equal(of(warnings, 'dead-letter')[0]?.details?.['handler'], 'charge');
    }),

    promise('warnings of one cause are held back and counted', async (s) => {
      const bus = await s.bus();
      const warnings = await s.record(bus, 'system.warning');
      await s.record(bus, 'order.created', { group, retry: { attempts: 1 }, then: failing() });
      await publishNumbers(bus, 'order.created', 100);
      await s.letters(bus, 100);
      await s.harness.advance(1_500);
      await bus.publish('order.created', 100);
      await s.until('them all to be told', () => {
        const rows = of(warnings, 'dead-letter');
        return rows.reduce((sum, { suppressed }) => sum + suppressed + 1, 0) === 101;
      });
      assert.ok(of(warnings, 'dead-letter').length < 30);
    }),

    promise('events that cause each other in a circle are a warning, and the last is refused', async (s) => {
      const bus = await s.bus();
      const warnings = await s.record(bus, 'system.warning');
      let refused: unknown;
      const then: EventHandler = () => bus.publish('ping').catch((error: unknown) => (refused = error));
      const recorder = await s.record(bus, 'ping', { group, then });
      await bus.publish('ping');
      await s.until('the refusal', () => refused);
      await s.exactly(33, recorder);
      await s.until('a warning', () => of(warnings, 'loop').length > 0);
      assert.match(of(warnings, 'loop')[0]?.message ?? '', /ping/);
    }),

    promise('system.startup comes when the bus receives, to its own process, once', async (s) => {
      const other = await s.bus();
      const elsewhere = await s.record(other, 'system.#');
      const started = new EventsRecorder();
      let before = -1;
      const bus = await s.bus({
        service: 'shop',
        instanceId: 'shop-1',
        beforeStart: async (starting) => {
          await starting.subscribe(SystemEvents.Startup, started.handler);
          await s.quiet();
          before = started.events.length;
        },
      });
      await s.exactly(1, started);
      assert.equal(before, 0);
      const life: SystemLife = { bus: bus.name, service: 'shop', instanceId: 'shop-1' };
      assert.deepEqual(started.payloads, [life]);
      await s.exactly(0, elsewhere);
    }),

    promise('system.shutdown comes when the bus begins to drain, once, and its handlers may finish', async (s) => {
      const [bus, other] = await s.buses(2);
      assert.ok(bus && other);
      const elsewhere = await s.record(other, 'system.#');
      const notes = await s.record(other, 'note');
      let finished = false;
      const recorder = await s.record(bus, SystemEvents.Shutdown, {
        then: async () => {
          await Promise.resolve();
          await bus.publish('note');
          finished = true;
        },
      });
      await s.value(bus.drain());
      assert.equal(finished, true);
      await s.value(bus.close());
      assert.deepEqual(
        recorder.payloads.map((life) => (life as SystemLife).instanceId),
        [bus.instanceId],
      );
      await s.exactly(1, notes);
      await s.exactly(0, elsewhere);
    }),

    promise(
      "handlers of a group, and those of other processes, do not get a process's own system events",
      async (s) => {
        const [bus, other] = await s.buses(2);
        assert.ok(bus && other);
        const none = [await s.record(bus, 'system.#', { group }), await s.record(other, 'system.#')];
        const own = await s.record(bus, '#');
        bus.emit('not a type', 1);
        await s.exactly(1, own);
        await s.exactly(0, ...none);
      },
    ),

    promise('with `system: { publish: true }` they are published: every process and group gets them', async (s) => {
      const listener = await s.bus();
      const recorders = [await s.record(listener, 'system.#'), await s.record(listener, 'system.#', { group })];
      const bus = await s.bus(published);
      await s.atLeast(2, ...recorders);
      bus.emit('not a type', 1);
      await s.atLeast(4, ...recorders);
      await s.value(bus.close());
      await s.exactly(6, ...recorders);
      for (const recorder of recorders) {
        assert.deepEqual(recorder.types.sort(), [SystemEvents.Error, SystemEvents.Shutdown, SystemEvents.Startup]);
        assert.equal(recorder.last.context.sourceInstance, bus.instanceId);
      }
    }),

    promise('a published warning of a dead letter that fails as well does not go on for ever', async (s) => {
      const bus = await s.bus(published);
      const recorder = await s.record(bus, 'system.warning', { group, retry: { attempts: 1 }, then: failing() });
      await s.record(bus, 'order.created', { group, name: 'bad', retry: { attempts: 1 }, then: failing() });
      await bus.publish('order.created', 1);
      await s.atLeast(1, recorder);
      // Warnings of one cause are a second apart.
      for (const _ of numbers(2)) await s.harness.advance(1_100);
      const came = recorder.events.length;
      for (const _ of numbers(2)) await s.harness.advance(1_100);
      assert.equal(recorder.events.length, came, 'a warning of its own failure is no new warning');
    }),
  ],
};
