import { Solo } from '../consumer/solo.js';
import type { Clock } from '../core/clock.js';
import type { CardDeclaration } from '../core/declaration.js';
import type { DeadLetterRow } from '../core/delivery.js';
import { createScopeStorage } from '../core/scope.js';
import { declarationOf, eventOf, SILENT } from '../pipeline/handler.spec-kit.js';
import type { CardDelivery, CardFailure, CardRef, CardSink, CardSource, CardStore, CardTurn } from '../ports/cards.js';
import type { Claims } from '../pipeline/claims.js';
import type { Pipeline } from '../pipeline/compose.js';
import { EventContracts } from '../validation/event-contracts.js';
import { CardConsumer } from './card-consumer.js';

/** What specs of cards are made of: a driver whose cards the test hands over itself. */

type Then = 'keep' | 'next' | 'yield';

/** Entries with these numbers as ids and payloads. */
export function entriesOf(numbers: readonly number[], head: Partial<CardDelivery> = {}): CardDelivery[] {
  return numbers.map((n, index) => ({
    event: eventOf({ type: 't', id: String(n), text: String(n), mode: 'anycast' }),
    type: 't',
    attempt: 1,
    redelivered: false,
    failures: 0,
    crashes: 0,
    sequence: `1-${String(n)}`,
    ...(index === 0 ? head : {}),
  }));
}

/** A turn that keeps what is done with it; what `ack` and `bury` hand over is up to the test. */
export class HandTurn implements CardTurn {
  readonly topic: string;
  readonly cardId = 'c';
  readonly fencingToken = '7';
  held = true;
  /** Each call, in order. */
  readonly calls: unknown[][] = [];
  /** What the next `next` hand over, one after the other. */
  following: CardDelivery[][] = [];
  /** What `refill` gives, one after the other. */
  refills: CardDelivery[][] = [];
  /** What a call does before it is answered. */
  before: (call: string) => unknown = () => undefined;
  crashesAlone = 0;
  private lost: ((reason: Error) => void) | undefined;

  constructor(
    readonly entries: readonly CardDelivery[],
    topic = 't',
  ) {
    this.topic = topic;
  }

  /** The names of the calls. */
  get names(): unknown[] {
    return this.calls.map(([name]) => name);
  }

  onLost(lost: (reason: Error) => void): void {
    this.lost = lost;
  }

  lose(reason = new Error('lost')): void {
    this.held = false;
    this.lost?.(reason);
  }

  ack(count: number, then: Then): Promise<readonly CardDelivery[]> {
    return this.go(['ack', count, then], then);
  }

  bury(row: DeadLetterRow, then: Then): Promise<readonly CardDelivery[]> {
    return this.go(['bury', row.reason, row.attempts, then], then);
  }

  async refill(): Promise<readonly CardDelivery[]> {
    await this.call(['refill']);
    return this.refills.shift() ?? [];
  }

  retry({ delay, counted, error }: CardFailure): Promise<void> {
    return this.leave(['retry', delay, counted, error]);
  }

  park(row: DeadLetterRow): Promise<void> {
    return this.leave(['park', row.reason, row.attempts]);
  }

  async alone(): Promise<number> {
    await this.call(['alone']);
    return this.crashesAlone;
  }

  release(): Promise<void> {
    return this.leave(['release']);
  }

  end(): void {
    this.calls.push(['end']);
  }

  private async go(call: unknown[], then: Then): Promise<readonly CardDelivery[]> {
    await this.call(call);
    if (then === 'yield') this.held = false;
    if (then !== 'next' || !this.held) return [];
    const next = this.following.shift() ?? [];
    if (next.length === 0) this.held = false;
    return next;
  }

  private async leave(call: unknown[]): Promise<void> {
    await this.call(call);
    this.held = false;
  }

  private async call(call: unknown[]): Promise<void> {
    this.calls.push(call);
    await this.before(String(call[0]));
  }
}

/** A driver's side of cards that hands over what the test gives. */
export class Hand {
  readonly sinks = new Map<string, CardSink>();
  /** What sources are told, with their topics. */
  readonly told: string[] = [];
  /** Until then `pause` has something to hand over. */
  pausing = Promise.resolve();

  readonly store = {
    consume: ({ topic, take }: { topic: string; take: number }, sink: CardSink): Promise<CardSource> => {
      this.told.push(`consume ${topic} ${String(take)}`);
      this.sinks.set(topic, sink);
      const tell = (what: string) => (): Promise<void> => {
        this.told.push(`${what} ${topic}`);
        return what === 'pause' ? this.pausing : Promise.resolve();
      };
      return Promise.resolve({
        pull: () => void this.told.push(`pull ${topic}`),
        pause: tell('pause'),
        close: tell('close'),
      });
    },
  } as unknown as CardStore;

  begin(turn: CardTurn): void {
    this.sinks.get(turn.topic)?.begin(turn);
  }
}

export interface Setup<Time extends Clock> {
  readonly hand: Hand;
  readonly consumer: CardConsumer;
  readonly clock: Time;
  readonly lines: string[];
  readonly parked: [card: string, row: DeadLetterRow][];
}

type Handler = (payload: never, context: never) => unknown;

/** A handler of the topic `t`. */
export function cardDeclarationOf(handler: Handler, fields: Partial<CardDeclaration> = {}): CardDeclaration {
  const { concurrency = 10 } = fields;
  return {
    ...declarationOf({ patterns: ['t'], invoke: handler as never }),
    onExhausted: 'dead-letter',
    concurrency,
    cards: concurrency,
    ...fields,
  };
}

/** What a pipeline needs beside its handler; there is no idempotency. */
interface Services {
  readonly debug: boolean;
  readonly bus: string;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly contracts: EventContracts;
  readonly claims: Claims;
  readonly stuck: () => void;
  readonly used: () => void;
}

type PipelineFor = (declaration: CardDeclaration, services: Services) => Pipeline;

/** Makes a consumer that has started with these handlers; the clock and the pipeline come from outside of this layer. */
export function cardsWith<Time extends Clock>(
  pipelineFor: PipelineFor,
  makeClock: () => Time,
): (declarations: readonly CardDeclaration[]) => Promise<Setup<Time>> {
  return async (declarations) => {
    const hand = new Hand();
    const clock = makeClock();
    const lines: string[] = [];
    const parked: [string, DeadLetterRow][] = [];
    const keep = (line: string): void => void lines.push(line);
    const consumer = new CardConsumer(hand.store, {
      ...{ bus: 'b', logger: { ...SILENT, warn: keep, error: keep }, scope: createScopeStorage(), clock },
      ...{ quantum: 4, take: 3, solo: new Solo(() => []) },
      reply: () => Promise.reject(new Error('not here')),
      parked: ({ topic, cardId }: CardRef, row) => void parked.push([`${topic}:${cardId}`, row]),
      pipeline: (declaration) => pipelineFor(declaration, servicesOf(clock)),
    });
    for (const declaration of declarations) consumer.register(declaration);
    await consumer.start();
    return { hand, consumer, clock, lines, parked };
  };
}

function servicesOf(clock: Clock): Services {
  return {
    ...{ debug: false, bus: 'b', instanceId: 'i', clock, contracts: new EventContracts(), claims: undefined as never },
    stuck: () => undefined,
    used: () => undefined,
  };
}
