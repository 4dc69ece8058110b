import assert from 'node:assert/strict';
import type { CardInfo, CardSubscribeOptions } from '../../bus/cards.js';
import type { EventBus } from '../../bus/event-bus.js';
import { CardSink, TOPIC, type CardRun, type CardWork } from './card-sink.js';
import type { HarnessBusOptions } from './harness.js';
import { numbers, type Stage } from './stage.js';

/** The shortest lease there is. */
export const LEASE = { cards: { lease: 1_000 } } as const;
/** Longer than any test: what happens meanwhile does not happen because it has run out. */
export const FOR_EVER = { cards: { lease: '1h', sweep: '1h', scan: '1h' } } as const;

/** More deaths than any test may take. */
const LOOP = 8;

export function sinkOf(s: Stage, work?: CardWork, ends?: (run: CardRun) => boolean): CardSink {
  return new CardSink(s.harness, work, ends);
}

/** A sink on a bus of its own. */
export async function listening(
  s: Stage,
  options: CardSubscribeOptions & { readonly bus?: HarnessBusOptions; readonly ends?: (run: CardRun) => boolean } = {},
  work?: CardWork,
): Promise<readonly [CardSink, EventBus]> {
  const { bus: busOptions, ends, ...rest } = options;
  const sink = sinkOf(s, work, ends);
  const bus = await s.bus(busOptions);
  await sink.on(bus, rest);
  return [sink, bus];
}

/** Publishes the numbers from … from + count - 1 to a card, without waiting for one before the next. */
export async function fill(bus: EventBus, card: string, count: number, from = 0, topic = TOPIC): Promise<void> {
  await Promise.all(numbers(count).map((n) => bus.cards.publish(topic, card, from + n)));
}

/** All cards of a topic, by their ids, in pages of `limit`. */
export async function allCards(bus: EventBus, topic = TOPIC, limit = 100): Promise<Map<string, CardInfo>> {
  const found = new Map<string, CardInfo>();
  let cursor: string | undefined;
  do {
    const page = await bus.cards.list(topic, { limit, ...(cursor === undefined ? {} : { cursor }) });
    for (const card of page.cards) found.set(card.cardId, card);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

/** Waits until no card of the topic has an event, an owner or a wait. */
export async function rested(s: Stage, bus: EventBus, topic = TOPIC): Promise<void> {
  await s.harness.waitFor(
    async () => {
      const busy = [...(await allCards(bus, topic)).values()].filter(
        ({ state, length, pending }) => state !== 'idle' || length + pending > 0,
      );
      assert.deepEqual(busy, [], 'cards that are not at rest');
      return true;
    },
    { what: `the cards of '${topic}' to rest`, timeout: '15s' },
  );
}

/** Waits until a card is in a state. */
export async function inState(
  s: Stage,
  bus: EventBus,
  card: string,
  state: CardInfo['state'],
  topic = TOPIC,
): Promise<CardInfo> {
  return s.harness.waitFor(
    async () => {
      const record = await bus.cards.inspect(topic, card);
      assert.equal(record?.state, state);
      return record;
    },
    { what: `card '${card}' to be ${state}` },
  );
}

/**
 * Processes that live one after the other until `over`: the work may kill its process. Gives how many died; `between` comes
 * after each death.
 */
export async function lifetimes(
  s: Stage,
  sink: CardSink,
  options: CardSubscribeOptions,
  over: () => unknown,
  between: () => unknown = () => undefined,
  busOptions: HarnessBusOptions = LEASE,
): Promise<number> {
  for (let deaths = 0; deaths < LOOP; deaths++) {
    const bus = await s.bus({ shutdownTimeout: 200, ...busOptions });
    const process = sink.process(bus);
    // It may be killed before it has subscribed.
    await sink.on(bus, options).catch((error: unknown) => {
      if (process.alive) throw error;
    });
    await s.harness.waitFor(async () => !process.alive || (await over()), {
      what: 'a death or the end',
      timeout: '15s',
    });
    if (process.alive) {
      await s.value(bus.close());
      return deaths;
    }
    await between();
  }
  throw new Error(`a crash loop: ${String(LOOP)} processes died`);
}
