import type { Sink, Source, SourceSpec } from '../../ports/driver.js';
import { AnycastSource } from './anycast-source.js';
import { DurableGroupSource } from './durable-group-source.js';
import { GroupSource } from './group-source.js';
import { InboxSource } from './inbox-source.js';
import type { Mailer } from './mailer.js';
import type { Interests } from './membership.js';
import { ProcessSource } from './process-source.js';
import type { RedisHost } from './redis-host.js';
import { RequestSource } from './request-source.js';
import { RetryingSource } from './retrying-source.js';
import type { StreamSource } from './stream-source.js';

/** Streams that the safety net touches in one round, and that are looked at for silent consumers. */
const STREAMS_A_POLL = 50;
const STREAMS_A_CLAIM = 100;

/** What this process receives on the bus. */
export class Sources {
  requests: RequestSource | undefined;
  private readonly streams = new Set<StreamSource>();
  private turn = 0;

  async add(spec: SourceSpec, sink: Sink, host: RedisHost, mailer: Mailer): Promise<Source> {
    if (spec.kind === 'requests') {
      this.requests = new RequestSource(sink, host, mailer);
      return this.requests;
    }
    const source = makeSource(spec, sink, host);
    this.streams.add(source);
    if (source instanceof InboxSource) await source.start();
    return source;
  }

  remove(source: object): void {
    this.streams.delete(source as StreamSource);
  }

  reads(type: string): boolean {
    return [...this.streams].some((source) => source.streams.has(type));
  }

  /** What the others may know of this process. */
  interests(): Omit<Interests, 'cards'> {
    const groups: Record<string, string[]> = {};
    let anycast: string[] = [];
    for (const source of this.streams) {
      if (source instanceof DurableGroupSource) groups[source.name] = source.listening();
      else if (source instanceof AnycastSource) anycast = source.listening();
    }
    return { answers: [...(this.requests?.patterns ?? [])], groups, anycast };
  }

  found(type: string): void {
    for (const source of this.streams) source.found(type);
  }

  /**
   * A message on the wake-up channel of a type. Read: `b` or `a`, counter, preferred instance; redeliveries: `rr <group>` or
   * `rra`, counter. Claim what was given back: `rb <group>` or `ra`; redeliveries: `rc <group>` or `rca`.
   */
  woken(type: string, message: string): void {
    const [kind = '', ...words] = message.split(' ');
    if (kind === 'a' || kind === 'b') {
      const wake = { counter: Number(words[0]), preferred: words[1] };
      for (const source of this.streams)
        if (!(source instanceof InboxSource) && source instanceof AnycastSource === (kind === 'a'))
          source.wake(type, wake);
      return;
    }
    const anycast = kind === 'ra' || kind === 'rra' || kind === 'rca';
    const group = anycast ? undefined : words.shift();
    for (const source of this.streams) {
      if (!(source instanceof RetryingSource) || source.groupName !== group) continue;
      if (kind === 'ra' || kind === 'rb') source.claim(type);
      else if (kind === 'rca' || kind === 'rc') source.claimRedeliveries(type);
      else if (kind === 'rra' || kind === 'rr') source.redeliver(type, Number(words[0] ?? 0));
    }
  }

  /** The inbox has something. */
  mailed(): void {
    for (const source of this.streams) if (source instanceof InboxSource) source.touch('');
  }

  /** The server has lost its data. */
  redeclare(): void {
    for (const source of this.streams) if (source instanceof DurableGroupSource) source.redeclare();
  }

  restored(): void {
    for (const source of this.streams) source.restored();
  }

  /** The safety net for lost wake-ups: a bounded number of streams in turn. */
  poll(): void {
    const all = [...this.streams].flatMap((source) => [...source.streams.keys()].map((type) => ({ source, type })));
    for (let count = 0; count < Math.min(STREAMS_A_POLL, all.length); count++) {
      const next = all[this.turn++ % all.length];
      next?.source.look(next.type);
    }
  }

  /** Renews the claims of this process, and looks for what silent consumers hold. */
  async renew(): Promise<void> {
    for (const source of this.streams) {
      if (!(source instanceof GroupSource)) continue;
      await source.extend();
      source.claimSome(STREAMS_A_CLAIM);
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.streams].map((source) => source.close()));
  }
}

function makeSource(spec: SourceSpec, sink: Sink, host: RedisHost): StreamSource {
  switch (spec.kind) {
    case 'process':
      return new ProcessSource(spec, sink, host);
    case 'group':
      return new DurableGroupSource(spec, sink, host);
    case 'anycast':
      return new AnycastSource(spec, sink, host);
    case 'inbox':
    case 'requests':
      return new InboxSource(spec, sink, host);
  }
}
