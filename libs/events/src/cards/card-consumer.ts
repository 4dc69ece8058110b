import { within, type DrainOptions } from '../consumer/drain.js';
import type { CardDeclaration } from '../core/declaration.js';
import { BusClosedError, InvalidHandlerError } from '../core/errors.js';
import { messageOf } from '../core/message-of.js';
import type { Pipeline } from '../pipeline/compose.js';
import type { CardStore, CardTurn } from '../ports/cards.js';
import { BatchLane } from './batch-lane.js';
import { CardEntry } from './card-entry.js';
import { CardIntake } from './card-intake.js';
import type { CardLane, LaneHost } from './card-lane.js';
import { SingleLane } from './single-lane.js';

export interface CardConsumerOptions extends LaneHost {
  /** Events of one card in hand, at most; of a batch handler, its size. */
  readonly take: number;
  /** Puts the middleware around a handler. */
  readonly pipeline: (declaration: CardDeclaration) => Pipeline;
}

/** The receiving half of a bus's cards in one process: one handler a topic, one lane a card in hand. */
export class CardConsumer {
  private readonly topics = new Map<string, CardEntry>();
  /** Handlers that may run, those that were removed among them. */
  private readonly entries = new Set<CardEntry>();
  /** Topics that a removed handler has not left yet. */
  private readonly leaving = new Map<string, Promise<void>>();
  private started = false;
  private ended = false;

  constructor(
    private readonly store: CardStore,
    private readonly options: CardConsumerOptions,
  ) {
    options.solo.watch(() => this.entries);
  }

  /**
   * Registers a handler; it gets cards once `start` has been called.
   * @throws InvalidHandlerError when one of its topics has a handler
   */
  register(declaration: CardDeclaration): CardEntry {
    this.check(declaration);
    const { solo, pipeline } = this.options;
    const entry = new CardEntry(declaration, pipeline(declaration), solo, this.laneOf);
    for (const topic of declaration.patterns) this.topics.set(topic, entry);
    this.entries.add(entry);
    return entry;
  }

  /** Begins to own cards, for every handler registered so far. */
  async start(): Promise<void> {
    this.started = true;
    await Promise.all([...this.entries].map((entry) => this.connect(entry)));
  }

  /** Registers a handler at any time, and resolves when it counts (before the start: when it is registered). */
  async add(declaration: CardDeclaration): Promise<CardEntry> {
    if (this.ended) throw new BusClosedError(this.options.bus);
    const entry = this.register(declaration);
    try {
      if (this.started) await this.connect(entry);
    } catch (error) {
      this.remove(entry);
      throw error;
    }
    return entry;
  }

  /** Ends a handler: it gets no more cards; what runs ends, and is settled. Twice is once. */
  remove(entry: CardEntry): void {
    if (entry.closed) return;
    entry.close();
    for (const topic of entry.declaration.patterns) if (this.topics.get(topic) === entry) this.topics.delete(topic);
    const left = this.leave(entry);
    for (const topic of entry.declaration.patterns) this.leaving.set(topic, left);
  }

  /**
   * Ends the receiving in order: no more cards; what runs may finish; after the timeout its signal aborts, and its card goes
   * back. `handOver`: others can take what is in hand and has not begun; else it is handled too, with what waits for nobody
   * else.
   */
  async drain({ clock, timeout, handOver }: DrainOptions): Promise<void> {
    const { bus, logger } = this.options;
    this.ended = true;
    const entries = [...this.entries];
    for (const entry of entries) {
      if (handOver) entry.close();
      else entry.hurry(true);
    }
    const finished = Promise.all(
      entries.map(async (entry) => {
        await entry.pause();
        entry.close();
        await entry.whenIdle();
      }),
    );
    if (await within(finished, timeout, clock)) return;
    for (const entry of entries) entry.close();
    const left = entries.flatMap(({ lanes }) => [...lanes]);
    logger.warn(
      `Bus '${bus}': ${String(left.length)} cards did not finish within ${String(timeout)} ms; their signals abort and others may take them.`,
    );
    const reason = new Error('The process shuts down.');
    await within(Promise.all(left.map((lane) => lane.abandon(reason))), timeout, clock);
  }

  private check({ name, patterns, idempotent }: CardDeclaration): void {
    for (const topic of patterns) {
      const other = this.topics.get(topic)?.declaration.name;
      if (other !== undefined)
        throw new InvalidHandlerError(
          `Topic '${topic}' on bus '${this.options.bus}' has the handler ${other} already, and a topic has one in a process: two would have to share its order. Let it call both, or publish to another topic.`,
        );
    }
    for (const { declaration, closed } of this.entries)
      if (!closed && idempotent !== undefined && declaration.idempotent !== undefined && declaration.name === name)
        throw new InvalidHandlerError(
          `There already is an idempotent handler of cards named '${name}': what one has done would count for the other. Give one another name.`,
        );
  }

  private async connect(entry: CardEntry): Promise<void> {
    const { name: handler, patterns, batch } = entry.declaration;
    const take = batch?.size ?? this.options.take;
    await Promise.all(
      patterns.map(async (topic) => {
        await this.leaving.get(topic);
        const intake = new CardIntake(entry);
        entry.intakes.set(topic, intake);
        intake.source = await this.store.consume({ topic, handler, take }, intake);
        // Closed meanwhile.
        if (entry.closed) await intake.pause();
      }),
    );
  }

  /** Leaves the topics of a removed handler, when it has no card in hand. */
  private async leave(entry: CardEntry): Promise<void> {
    // Where what waits would be handled first, it ends with the source.
    entry.pause().catch(() => undefined);
    await entry.whenIdle();
    const closing = [...entry.intakes.values()].map((intake) => intake.close());
    for (const closed of await Promise.allSettled(closing))
      if (closed.status === 'rejected')
        this.options.logger.warn(
          `Handler ${entry.declaration.name} could not be detached: ${messageOf(closed.reason)}`,
        );
    this.entries.delete(entry);
  }

  private readonly laneOf = (entry: CardEntry, turn: CardTurn): CardLane => {
    const { batch } = entry.declaration;
    return batch === undefined
      ? new SingleLane(this.options, entry, turn)
      : new BatchLane(this.options, entry, turn, batch);
  };
}
