import hdr from 'hdr-histogram-js';
import { order, orderNumber } from '../contenders/payload.js';
import type { OpenStreamPeer, StreamPeer, StreamSetup } from '../contenders/stream/stream-peer.js';
import { Tally } from '../contenders/tally.js';
import type { Figures, Role, Task } from '../harness/bench.js';

const SYSTEMS: Readonly<Record<string, () => Promise<OpenStreamPeer>>> = {
  ioredis: async () => (await import('../contenders/stream/plain-ioredis.js')).openPlainIoredis,
  moleculer: async () => (await import('../contenders/stream/moleculer.js')).openMoleculer,
  bullmq: async () => (await import('../contenders/stream/bullmq.js')).openBullMq,
  'cards-ioredis': async () => (await import('../contenders/cards/plain-ioredis.js')).openPlainIoredis,
  'cards-groupmq': async () => (await import('../contenders/cards/groupmq.js')).openGroupMq,
  'cards-cardinal': async () => (await import('../contenders/cards/cardinal.js')).openCardinal,
  cardinal: async () => (await import('../contenders/stream/cardinal.js')).openCardinal,
};

const BATCH = 500;

/** Publishes or consumes events, or both at once. */
class StreamRole implements Role {
  private readonly tally = new Tally();
  private peer!: StreamPeer;
  private published = 0;
  private observe: ((i: number) => void) | undefined;

  async open(setup: StreamSetup): Promise<void> {
    const load = SYSTEMS[setup.system];
    if (load === undefined) throw new Error(`no system '${setup.system}'`);
    const handle = (payload: { readonly i: number }): void => {
      const i = orderNumber(payload);
      this.observe?.(i);
      this.tally.count(i);
    };
    this.peer = await (await load())(setup, setup.options.part === 'producer' ? undefined : handle);
  }

  async run(task: Task): Promise<Figures> {
    switch (task['kind']) {
      case 'throughput':
        return this.throughput(Number(task['events']));
      case 'produce':
        return this.measured(Number(task['events']), () => this.produce(Number(task['events'])));
      case 'consume':
        return this.measured(Number(task['events']), () => this.consume(Number(task['events'])));
      case 'rate':
        return this.atRate(Number(task['rate']), Number(task['seconds']));
      case 'trim':
        await this.peer.trim();
        return {};
      default:
        throw new Error(`unknown task ${JSON.stringify(task)}`);
    }
  }

  close(): Promise<void> {
    return this.peer.close();
  }

  /** From the first publish until the last event is acknowledged. */
  private throughput(events: number): Promise<Figures> {
    return this.measured(events, async () => {
      await Promise.all([this.consume(events), this.produce(events)]);
    });
  }

  private async measured(events: number, work: () => Promise<void>): Promise<Figures> {
    const cpu = process.cpuUsage();
    const start = performance.now();
    await work();
    const seconds = (performance.now() - start) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    return { rate: events / seconds, seconds, node: (user + system) / events, rss: process.memoryUsage.rss() / 1e6 };
  }

  private async produce(events: number): Promise<void> {
    for (let left = events; left > 0; left -= BATCH) {
      const size = Math.min(BATCH, left);
      const batch = Array.from({ length: size }, (_, index) => order(this.published + index));
      this.published += size;
      await this.peer.publish(batch);
    }
  }

  private async consume(events: number): Promise<void> {
    await this.tally.expect(events).all;
    await this.peer.acknowledged();
    this.tally.check();
  }

  /**
   * Publishes at a fixed rate, each event when it is due, and measures from when it was due until its handler ran: a
   * stall counts for every event that it delays.
   */
  private async atRate(rate: number, seconds: number): Promise<Figures> {
    const events = Math.max(1, Math.round(rate * seconds));
    const { first, all } = this.tally.expect(events);
    const lateness = hdr.build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: 120_000_000,
      numberOfSignificantValueDigits: 3,
    });
    const start = performance.now();
    const gap = 1_000 / rate;
    this.observe = (i) => {
      const micros = Math.round((performance.now() - start - (i - first) * gap) * 1_000);
      lateness.recordValue(Math.max(1, micros));
    };
    const stored: Promise<void>[] = [];
    for (let sent = 0; sent < events;) {
      const due = Math.min(events, Math.floor((performance.now() - start) / gap) + 1);
      if (due > sent) {
        const from = first + sent;
        stored.push(this.peer.publish(Array.from({ length: due - sent }, (_, index) => order(from + index))));
        sent = due;
      }
      await new Promise(setImmediate);
    }
    this.published += events;
    await Promise.all([all, ...stored]);
    this.observe = undefined;
    await this.peer.acknowledged();
    this.tally.check();
    return {
      rate,
      p50: lateness.getValueAtPercentile(50) / 1_000,
      p99: lateness.getValueAtPercentile(99) / 1_000,
      max: lateness.maxValue / 1_000,
    };
  }
}

export async function open(setup: StreamSetup): Promise<Role> {
  const role = new StreamRole();
  await role.open(setup);
  return role;
}
