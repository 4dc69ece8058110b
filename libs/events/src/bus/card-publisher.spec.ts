import { describe, expect, it } from '@jest/globals';
import { BackendUnavailableError } from '../core/errors.js';
import { EventType } from '../core/event-class.js';
import type { EventEnvelope } from '../core/envelope.js';
import { createScopeStorage } from '../core/scope.js';
import type { CardRef, CardStore, CardStoreOptions } from '../ports/cards.js';
import type { CardEncoding } from '../ports/options.js';
import { TestClock, turns } from '../testing/clock.js';
import { EventContracts } from '../validation/event-contracts.js';
import type { CardPublishOptions } from './card-options.js';
import { CardPublisher } from './card-publisher.js';
import { EnvelopeFactory } from './envelope-factory.js';
import { PublishRetries } from './publish-retry.js';

interface Stored {
  readonly card: CardRef;
  readonly event: EventEnvelope;
  readonly options: CardStoreOptions | undefined;
}

class Kit {
  readonly stored: Stored[] = [];
  readonly clock = new TestClock();
  /** What the backend says to the next calls. */
  readonly failures: Error[] = [];
  private readonly publisher: CardPublisher;

  constructor(encoding: CardEncoding = 'cloudevents') {
    const store = {
      publish: (card: CardRef, event: EventEnvelope, options?: CardStoreOptions) => {
        const failure = this.failures.shift();
        if (failure !== undefined) return Promise.reject(failure);
        this.stored.push({ card, event, options });
        return 5;
      },
    } as unknown as CardStore;
    this.publisher = new CardPublisher({
      ...{ store, encoding, contracts: new EventContracts(), debug: undefined },
      retries: new PublishRetries('b', this.clock),
      envelopes: new EnvelopeFactory({
        ...{ service: 's', instanceId: 'i', maxPayload: 1_000, share: false, clock: this.clock },
        scope: createScopeStorage(),
        loop: () => undefined,
      }),
    });
  }

  /** Not asynchronous where the driver is not. */
  publish(payload: unknown, options?: CardPublishOptions, cardId = 'c'): number | Promise<number> {
    return this.publisher.store(this.publisher.event('a topic', cardId, payload, options));
  }

  async publishing(...given: Parameters<Kit['publish']>): Promise<number> {
    return this.publish(...given);
  }

  get payloads(): unknown[] {
    return this.stored.map(({ event }) => event.payload());
  }
}

@EventType('comment.added', { version: 3 })
class CommentAdded {
  constructor(readonly text: string) {}
}

/** Its check takes until it is let go. */
function slow(): { new (n: number): object; go: () => void } {
  let go!: () => void;
  const checked = new Promise<void>((resolve) => (go = resolve));
  const validate = (value: unknown): Promise<{ value: unknown }> => checked.then(() => ({ value }));
  @EventType('slow', { schema: { '~standard': { version: 1, vendor: 'test', validate } } as never })
  class Slow {
    static readonly go = go;
    constructor(readonly n: number) {}
  }
  return Slow;
}

describe('an event of a card', () => {
  it('has the topic as its type, whatever that is; the option; or that of its class, with the version', async () => {
    const kit = new Kit();
    expect(kit.publish(1)).toBe(5);
    await kit.publish(1, { type: 'x.y' });
    await kit.publish(new CommentAdded('a'));
    await kit.publish(new CommentAdded('a'), { type: 'comment.added' });
    const made = kit.stored.map(({ event: { type, version, mode } }) => [type, version, mode]);
    expect(made).toEqual([
      ['a topic', 1, 'anycast'],
      ['x.y', 1, 'anycast'],
      ['comment.added', 3, 'anycast'],
      ['comment.added', 3, 'anycast'],
    ]);
  });

  it.each([
    ['INVALID_CARD', () => new Kit().publish(1, undefined, '{c}')],
    ['INVALID_EVENT_TYPE', () => new Kit().publish(1, { type: 'a topic' })],
    ['INVALID_OPTION', () => new Kit().publish(new CommentAdded('a'), { type: 'other' })],
    ['INVALID_OPTION', () => new Kit().publish(1, { mode: 'broadcast' } as object)],
    ['INVALID_OPTION', () => new Kit().publish(1, { id: 'a b' })],
    ['INVALID_OPTION', () => new Kit().publish(1, { retry: { attempts: 0, delay: 1 } })],
    ['SERIALIZATION', () => new Kit().publish(1n)],
  ])('that cannot be is refused: %s', (code, publish) => {
    expect(publish).toThrow(expect.objectContaining({ code }));
  });

  it('is stored once where it has an id of its own, or may be tried again', async () => {
    const kit = new Kit();
    for (const options of [undefined, {}, { source: 'x' }, { id: 'x' }, { retry: { attempts: 2, delay: 1 } }])
      await kit.publish(1, options);
    expect(kit.stored.map(({ options }) => options?.deduplicate)).toEqual([
      undefined,
      undefined,
      undefined,
      true,
      true,
    ]);
  });

  it('as fields it is an object with a key; nothing else can be told apart', async () => {
    const kit = new Kit('fields');
    await kit.publish({ a: 1 });
    await kit.publish(new CommentAdded('a'));
    for (const payload of [undefined, null, 1, 'text', true, [], [{ a: 1 }], {}, { a: undefined }, new Date(0)])
      expect(() => kit.publish(payload)).toThrow("with cards.encoding 'fields'");
    expect(kit.stored).toHaveLength(2);
  });
});

describe('events of one card are stored in the order of their calls', () => {
  it('behind one whose check takes a while; those of other cards are not', async () => {
    const kit = new Kit();
    const Slow = slow();
    const all = [kit.publishing(new Slow(1)), kit.publishing({ n: 2 }), kit.publishing({ n: 9 }, undefined, 'other'), kit.publishing({ n: 3 })]; // prettier-ignore
    await turns();
    expect(kit.payloads).toEqual([{ n: 9 }]);
    Slow.go();
    await Promise.all(all);
    expect(kit.payloads).toEqual([{ n: 9 }, { n: 1 }, { n: 2 }, { n: 3 }]);
    expect(kit.publish({ n: 4 })).toBe(5);
  });

  it('behind one that is tried again, also when it fails for good', async () => {
    const kit = new Kit();
    const away = new BackendUnavailableError('away');
    kit.failures.push(away, away, away);
    const retry = { attempts: 2, delay: 100 };
    const all = [kit.publishing(1, { retry }), kit.publishing(2, { retry }), kit.publishing(3)];
    const first = Promise.allSettled(all);
    await turns();
    expect(kit.failures).toHaveLength(2);
    await kit.clock.advance(100);
    await kit.clock.advance(100);
    expect((await first).map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(kit.payloads).toEqual([2, 3]);
  });
});
