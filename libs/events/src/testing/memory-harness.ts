import type { EventBus } from '../bus/event-bus.js';
import type { ResolvedBusOptions } from '../ports/options.js';
import { EventEnvelope, type EventMode } from '../core/envelope.js';
import { MemoryBroker } from '../drivers/memory/memory-broker.js';
import { MemoryDriver } from '../drivers/memory/memory-driver.js';
import { TestClock } from './clock.js';
import type { ConformanceCapability, Harness, HarnessBusOptions, HarnessDeadLetter } from './conformance/harness.js';
import { openTestBus } from './open-bus.js';
import { waitFor, waitForOutcome, type Truthy, type WaitOptions } from './wait-for.js';

/** What the memory backend can do of what not every backend can. */
export const MEMORY_CAPABILITIES: readonly ConformanceCapability[] = ['raw-entries', 'by-reference', 'deduplication'];

/** Several drivers on one broker, as processes on one server, and a clock that the test moves. */
export function memoryHarness(): Promise<Harness> {
  return Promise.resolve(new MemoryHarness());
}

class MemoryHarness implements Harness {
  private readonly broker = new MemoryBroker();
  private readonly clock = new TestClock();
  /** With the driver to crash it by. */
  private readonly buses = new Map<EventBus, MemoryDriver | undefined>();

  async bus(options: HarnessBusOptions = {}): Promise<EventBus> {
    // By reference is for the built-in backend only; such a bus is alone.
    const alone = options.isolate === false;
    let driver: MemoryDriver | undefined;
    const shared = (limits: ResolvedBusOptions): MemoryDriver => (driver = new MemoryDriver(limits, this.broker));
    const bus = await openTestBus({ ...options, backend: alone ? 'memory' : shared }, { clock: this.clock });
    this.buses.set(bus, driver);
    return bus;
  }

  async crash(bus: EventBus): Promise<void> {
    await this.buses.get(bus)?.close();
    this.buses.delete(bus);
  }

  deadLetters(): Promise<readonly HarnessDeadLetter[]> {
    const { letters, cards } = this.broker;
    const rows = [letters, cards.letters]
      .flatMap((shelf) => shelf.types().flatMap((type) => shelf.read(type, undefined, Infinity)))
      .sort((a, b) => a.at - b.at || Number(a.position) - Number(b.position))
      .map(({ event, type, cardId, reason, handler, group, attempts, error }) => {
        return { id: event.id, type, cardId, reason, handler, group, attempts, error };
      });
    return Promise.resolve(rows);
  }

  rawEntry(type: string, fields: Readonly<Record<string, string>>): Promise<void> {
    this.broker.broadcast(this.raw(type, 'broadcast', fields), this.driver());
    return Promise.resolve();
  }

  rawCardEntry(topic: string, cardId: string, fields: Readonly<Record<string, string>>): Promise<void> {
    this.driver().cards.publish({ topic, cardId }, this.raw(topic, 'anycast', fields));
    return Promise.resolve();
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  waitFor<T>(predicate: () => T | Promise<T>, options: WaitOptions = {}): Promise<Truthy<T>> {
    return waitFor(predicate, { between: (elapsed) => this.clock.advance(elapsed), ...options });
  }

  /** Handlers that still hang do not hold it up: time passes quickly here. */
  async close(): Promise<void> {
    const closed = Promise.all([...this.buses.keys()].map((bus) => bus.close()));
    const outcome = await waitForOutcome(closed, {
      what: 'the buses to close',
      between: () => this.clock.advance(1_000),
    });
    if (outcome.status === 'rejected') throw outcome.reason;
    const left = this.clock.pending('awaited');
    if (left > 0) throw new Error(`${String(left)} timers are left that somebody waits for.`);
  }

  /** Any that lives. */
  private driver(): MemoryDriver {
    for (const driver of this.buses.values()) if (driver !== undefined) return driver;
    throw new Error('Open a bus before raw entries.');
  }

  private raw(type: string, mode: EventMode, fields: Readonly<Record<string, string>>): EventEnvelope {
    const [id, source, time] = ['raw', 'elsewhere', this.clock.now()] as const;
    return new EventEnvelope({ type, id, source, sourceInstance: source, time, mode, text: fields['data'] });
  }
}
