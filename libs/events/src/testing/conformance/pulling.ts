import assert from 'node:assert/strict';
import type { EventBus } from '../../bus/event-bus.js';
import type { PulledEvent, StreamOptions } from '../../bus/stream.js';
import type { Stage } from './stage.js';
import { promise, type ConformanceTest } from './suite.js';

/** A group that begins with what is stored, so that it does not matter when it begins to listen. */
export const inGroup: StreamOptions = { group: 'billing', name: 'pull', startFrom: 'earliest' };

/** Pulls step by step. */
export class Pulling {
  readonly got: PulledEvent<number>[] = [];
  private readonly abort = new AbortController();
  private readonly iterator: AsyncIterator<PulledEvent<number>>;
  private step: Promise<IteratorResult<PulledEvent<number>>> | undefined;

  constructor(
    private readonly stage: Stage,
    bus: EventBus,
    options: StreamOptions,
  ) {
    const stream = bus.stream<number>('order.*', { signal: this.abort.signal, ...options });
    this.iterator = stream[Symbol.asyncIterator]();
  }

  get payloads(): number[] {
    return this.got.map(({ payload }) => payload);
  }

  /** The next event; fails where the stream has ended. */
  async next(): Promise<PulledEvent<number>> {
    const result = await this.stage.value((this.step = this.iterator.next()));
    assert.ok(result.done !== true, 'the stream has ended');
    this.got.push(result.value);
    return result.value;
  }

  async take(count: number): Promise<PulledEvent<number>[]> {
    const taken: PulledEvent<number>[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** The next step gives nothing for a while; the stream ends with that. */
  async nothing(): Promise<void> {
    let came: unknown;
    this.step = this.iterator.next();
    void this.step.then((result) => (came = result.done === true ? undefined : result.value));
    await this.stage.quiet();
    assert.equal(came, undefined, 'nothing comes');
    await this.end();
  }

  /** Leaves the loop, as `break` does. */
  async leave(): Promise<void> {
    await this.stage.value(Promise.resolve(this.iterator.return?.()));
  }

  /** Ends it from outside. */
  async end(): Promise<void> {
    this.abort.abort();
    await this.step?.catch(() => undefined);
    await this.leave();
  }
}

/** A test with streams that end with it. */
export function pulls(
  name: string,
  run: (s: Stage, pull: (bus: EventBus, options?: StreamOptions) => Pulling) => Promise<void>,
): ConformanceTest {
  return promise(name, async (s) => {
    const open: Pulling[] = [];
    try {
      await run(s, (bus, options = inGroup) => {
        const pulling = new Pulling(s, bus, options);
        open.push(pulling);
        return pulling;
      });
    } finally {
      // One whose process has died cannot detach any more.
      for (const pulling of open) await pulling.end().catch(() => undefined);
    }
  });
}
