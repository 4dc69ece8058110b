import type { Clock } from '../core/clock.js';
import type { HandlerDeclaration } from '../core/declaration.js';
import type { Delivery, Verdict } from '../core/delivery.js';
import type { EnvelopeInit } from '../core/envelope.js';
import { createScopeStorage } from '../core/scope.js';
import type { Pipeline } from '../pipeline/compose.js';
import { declarationOf, deliveryOf, eventOf, SILENT } from '../pipeline/handler.spec-kit.js';
import { compose } from '../pipeline/compose.js';
import { once } from '../pipeline/middleware/once.js';
import { invokeStep } from '../pipeline/invoke.js';
import { failedBy } from '../pipeline/middleware/failure.js';
import type { EventDriver, Sink, Source, SourceSpec } from '../ports/driver.js';
import { Consumer } from './consumer.js';

type Kind = SourceSpec['kind'];

/** A driver whose deliveries the test makes itself, and which keeps what becomes of them. */
export class Hand {
  /** Each settlement, in order: number of the delivery, and what was decided. */
  readonly settled: [number: number | undefined, verdict: Verdict][] = [];
  readonly paused: Kind[] = [];
  /** Numbers of the deliveries that were announced as handled alone. */
  readonly alone: (number | undefined)[] = [];
  /** How often a delivery was noted as handled alone before. */
  noted = 0;
  /** What `settle` gives. */
  confirm: Promise<void> | undefined;
  private readonly sinks = new Map<Kind, Sink>();
  private readonly numbers = new Map<Delivery, number>();

  readonly driver = {
    attach: (spec: SourceSpec, sink: Sink): Promise<Source> => {
      this.sinks.set(spec.kind, sink);
      return Promise.resolve(this.sourceOf(spec));
    },
  } as unknown as EventDriver;

  /** Which way each settlement went. */
  get kinds(): [number: number | undefined, kind: Verdict['kind']][] {
    return this.settled.map(([number, { kind }]) => [number, kind]);
  }

  sink(kind: Kind): Sink {
    const sink = this.sinks.get(kind);
    if (sink === undefined) throw new Error(`nothing is attached as '${kind}'`);
    return sink;
  }

  /** Hands over an event whose id and payload are this number. */
  deliver(kind: Kind, number: number, fields: Partial<Delivery> = {}, event: Partial<EnvelopeInit> = {}): void {
    const delivery = deliveryOf({
      event: eventOf({ id: String(number), text: String(number), ...event }),
      ...fields,
    });
    this.numbers.set(delivery, number);
    this.sink(kind).deliver(delivery);
  }

  private sourceOf({ kind }: SourceSpec): Source {
    return {
      listen: () => Promise.resolve(undefined),
      unlisten: () => Promise.resolve(),
      pull: () => undefined,
      settle: (delivery, verdict) => {
        this.settled.push([this.numbers.get(delivery), verdict]);
        return this.confirm;
      },
      alone: (delivery) => {
        this.alone.push(this.numbers.get(delivery));
        return Promise.resolve(this.noted);
      },
      pause: () => {
        this.paused.push(kind);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }
}

export interface ConsumerFields {
  readonly clock: Clock;
  readonly pipeline?: (declaration: HandlerDeclaration) => Pipeline;
}

/** A consumer that has started, with these handlers. */
export async function consumerOf(
  hand: Hand,
  handlers: readonly Partial<HandlerDeclaration>[],
  { clock, pipeline }: ConsumerFields,
): Promise<Consumer> {
  const consumer = new Consumer(hand.driver, {
    bus: 'b',
    limits: { count: 10, size: 1_000 },
    maxPayload: 1_000,
    logger: SILENT,
    scope: createScopeStorage(),
    clock,
    retention: 10_000,
    pipeline:
      pipeline ??
      ((declaration, used) => {
        const step = invokeStep(declaration.invoke, undefined, failedBy(declaration.retry));
        return { step: compose(declaration.once ? [once(used)] : [], step) };
      }),
    reply: () => Promise.reject(new Error('not here')),
  });
  for (const handler of handlers) consumer.register(declarationOf(handler));
  await consumer.start();
  return consumer;
}

/** Something to wait at until the test opens it. */
export interface Door {
  readonly opened: Promise<void>;
  open(): void;
  /** What waits there fails. */
  slam(error: Error): void;
}

export function door(): Door {
  let open!: () => void;
  let slam!: (error: Error) => void;
  const opened = new Promise<void>((resolve, reject) => {
    open = resolve;
    slam = reject;
  });
  opened.catch(() => undefined);
  return {
    opened,
    open: () => {
      open();
    },
    slam: (error) => {
      slam(error);
    },
  };
}
