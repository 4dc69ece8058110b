import { describe, expect, it } from '@jest/globals';
import { TopicInUseError, type CardTurn, type DeadLetterRow } from 'nestjs-cardinal';
import { waitFor } from 'nestjs-cardinal/testing';
import { numbers } from '../faults/kit.js';
import { RedisProxy } from '../support/proxy.js';
import { card, cardWorld, INDEX, openCardMember, payloadsOf, TOPIC, type CardMember } from './card-kit.js';

/** Cards through one driver: what each step of a turn does to the keys. */

const { redis, member, settledMember } = cardWorld();

const ROW: DeadLetterRow = { handler: 'h', reason: 'handler-failed', error: 'boom', stack: 'at x', attempts: 3 };
const NOT_COUNTED = { delay: 0, counted: false, error: '' };

/** Nothing is left of anybody's work. */
async function nothingHeld(): Promise<void> {
  for (const name of ['rdy', 'own', 'exp', 'blk', 'att'])
    expect([name, await redis.raw.exists(INDEX + name)]).toEqual([name, 0]);
}

async function taken(one: CardMember, ...payloads: unknown[]): Promise<CardTurn> {
  await one.publish('c', ...payloads);
  return one.next();
}

describe('a turn', () => {
  it('hands events over in order, the next after the one before was acknowledged', async () => {
    const one = await member({}, 2);
    const turn = await taken(one, 1, 2, 3);
    expect(turn).toMatchObject({ topic: TOPIC, cardId: 'c', held: true });
    expect(turn.fencingToken).toMatch(/^\d{16}$/);
    expect(payloadsOf(turn.entries)).toEqual([1, 2]);
    expect(turn.entries[0]).toMatchObject({ attempt: 1, failures: 0, crashes: 0, redelivered: false, type: TOPIC });
    expect(turn.entries[0]!.sequence).toMatch(/^\d+-\d+$/);
    expect(await turn.ack(1, 'keep')).toEqual([]);
    expect(payloadsOf(await turn.ack(1, 'next'))).toEqual([3]);
    expect(await turn.ack(1, 'next')).toEqual([]);
    expect(turn.held).toBe(false);
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    expect(await one.cards.inspect(card('c'))).toMatchObject({
      state: 'idle',
      length: 0,
      pending: 0,
      owner: undefined,
    });
    await nothingHeld();
  });

  it('acknowledges several at once', async () => {
    const one = await member({}, 3);
    const turn = await taken(one, 1, 2, 3, 4);
    await turn.ack(2, 'keep');
    expect(payloadsOf(await turn.ack(1, 'next'))).toEqual([4]);
    expect(await turn.ack(1, 'next')).toEqual([]);
    one.end(turn);
    await nothingHeld();
  });

  it('that yields lets other cards that are ready come first', async () => {
    const one = await member();
    one.room = 1;
    const turn = await taken(one, 1, 2);
    // Should it be the same millisecond, names decide.
    await one.publish('b', 3);
    expect(await turn.ack(1, 'yield')).toEqual([]);
    expect(turn.held).toBe(false);
    one.end(turn);
    const other = await one.next();
    expect([other.cardId, payloadsOf(other.entries)]).toEqual(['b', [3]]);
    await other.ack(1, 'next');
    one.end(other);
    const again = await one.next();
    expect([again.cardId, payloadsOf(again.entries)]).toEqual(['c', [2]]);
    expect(BigInt(again.fencingToken)).toBeGreaterThan(BigInt(turn.fencingToken));
    // It was handed over before, and no attempt has begun.
    expect(again.entries[0]).toMatchObject({ attempt: 1, redelivered: true, crashes: 0 });
  });

  it('that yields with nothing else to do goes on at once', async () => {
    const one = await member();
    const payloads = numbers(100);
    await one.publish('c', ...payloads);
    const seen: unknown[] = [];
    // A poll a second would take too long for as many.
    while (seen.length < payloads.length) {
      const turn = await one.next();
      seen.push(turn.entries[0]?.event?.payload());
      await turn.ack(1, 'yield');
      one.end(turn);
    }
    expect(seen).toEqual(payloads);
  });

  it('that has not ended yet when more comes: it follows at once', async () => {
    const one = await member();
    await one.publish('c', 0);
    // A poll a second would take too long for as many.
    for (const number of numbers(100)) {
      const turn = await one.next();
      expect(payloadsOf(turn.entries)).toEqual([number]);
      expect(await turn.ack(1, 'next')).toEqual([]);
      await one.publish('c', number + 1);
      await one.publish('probe', 0);
      // What is said of this comes after what is said of the card.
      const probe = await one.next();
      await probe.ack(1, 'next');
      one.end(probe);
      one.end(turn);
    }
  });

  it('refills: what is in hand, as it was, and what has come since', async () => {
    const one = await member({}, 3);
    const turn = await taken(one, 1);
    await one.publish('c', 2, 3, 4);
    const entries = await turn.refill();
    expect(payloadsOf(entries)).toEqual([1, 2, 3]);
    expect(entries[0]).toBe(turn.entries[0]);
    await turn.ack(1, 'keep');
    expect(payloadsOf(await turn.refill())).toEqual([2, 3, 4]);
    expect(await turn.ack(3, 'next')).toEqual([]);
    one.end(turn);
    await nothingHeld();
  });

  it('is given no more cards than there is room for; the others come when there is', async () => {
    const one = await member();
    one.room = 2;
    for (const name of ['a', 'b', 'c', 'd', 'e']) await one.publish(name, name);
    const seen: string[] = [];
    await waitFor(() => one.turns.length === 2);
    await waitFor(async () => (await redis.raw.zcard(`${INDEX}rdy`)) === 3);
    expect(one.turns).toHaveLength(2);
    one.handle(seen);
    await waitFor(() => seen.length === 5);
    expect(seen.slice().sort()).toEqual(['a "a"', 'b "b"', 'c "c"', 'd "d"', 'e "e"']);
    await waitFor(() => one.room === 2);
    await nothingHeld();
  });

  it('that is released goes on at once, uncounted', async () => {
    const one = await member();
    const turn = await taken(one, 1, 2);
    await turn.ack(1, 'keep');
    await turn.release();
    expect(turn.held).toBe(false);
    one.end(turn);
    const again = await one.next();
    expect(again.entries[0]).toMatchObject({ attempt: 1, failures: 0, crashes: 0 });
    expect(payloadsOf(again.entries)).toEqual([2]);
  });

  it('that ends without a word gives the card back', async () => {
    const one = await member();
    const turn = await taken(one, 1);
    one.end(turn);
    const again = await one.next();
    expect(again.entries[0]).toMatchObject({ attempt: 1, crashes: 0, redelivered: true });
  });

  it('says the type of an event where it is not the topic, and everything else an envelope has', async () => {
    const one = await member();
    const more = { type: 'order.placed', version: 2, correlationId: 'x', headers: { a: 'b' } };
    await one.cards.publish(card('c'), one.event({ n: 1 }, more));
    const { event } = (await one.next()).entries[0]!;
    expect(event).toMatchObject({ ...more, source: 'test', mode: 'anycast' });
    expect(event?.payload()).toEqual({ n: 1 });
  });
});

describe('a head that fails', () => {
  it('waits for its time, keeps the card, and counts; others go on', async () => {
    const one = await member();
    const turn = await taken(one, 1, 2);
    await turn.retry({ delay: 300, counted: true, error: 'boom' });
    expect(turn.held).toBe(false);
    one.end(turn);
    const before = Date.now();
    expect(await one.cards.inspect(card('c'))).toMatchObject({
      ...{ state: 'backoff', attempts: 1, lastError: 'boom', length: 2, retryAt: expect.any(Number) as unknown },
    });
    await one.publish('d', 9);
    const other = await one.next();
    expect(other.cardId).toBe('d');
    await other.ack(1, 'next');
    one.end(other);
    const again = await one.next();
    expect(Date.now() - before).toBeGreaterThanOrEqual(200);
    expect(again.entries[0]).toMatchObject({ attempt: 2, failures: 1, crashes: 0, redelivered: true });
    expect(payloadsOf(again.entries)).toEqual([1, 2]);
    expect(again.entries[1]).toMatchObject({ attempt: 1, failures: 0 });
    expect(await again.ack(2, 'next')).toEqual([]);
    one.end(again);
    await nothingHeld();
  });

  it('again and again: each time when it is due, not when somebody happens to look', async () => {
    const one = await member();
    await one.publish('c', 1);
    // A poll a second would take too long for as many.
    for (const failures of numbers(100)) {
      const turn = await one.next();
      expect(turn.entries[0]).toMatchObject({ failures });
      await turn.retry({ delay: 10, counted: true, error: 'boom' });
      one.end(turn);
    }
  });

  it('uncounted: the attempt is as it was', async () => {
    const one = await member();
    const turn = await taken(one, 1);
    await turn.retry(NOT_COUNTED);
    one.end(turn);
    expect((await one.next()).entries[0]).toMatchObject({ attempt: 1, failures: 0, redelivered: true });
  });

  it('its successor begins anew', async () => {
    const one = await member({}, 1);
    const turn = await taken(one, 1, 2);
    await turn.retry({ delay: 0, counted: true, error: 'boom' });
    one.end(turn);
    const again = await one.next();
    expect(again.entries[0]).toMatchObject({ failures: 1 });
    const [next] = await again.ack(1, 'next');
    expect(next).toMatchObject({ failures: 0, attempt: 1, redelivered: false });
  });

  it('parks: nothing comes until somebody resumes it, then its attempts begin again', async () => {
    const one = await member();
    const turn = await taken(one, 1, 2);
    await turn.park(ROW);
    one.end(turn);
    await one.publish('c', 3);
    expect(await one.cards.inspect(card('c'))).toMatchObject({
      ...{ state: 'parked', length: 3, attempts: 3, lastError: 'boom', retryAt: undefined },
    });
    expect(one.turns).toEqual([]);
    expect(await one.cards.resume(card('c'))).toBe(true);
    const again = await one.next();
    expect(payloadsOf(again.entries)).toEqual([1, 2, 3]);
    expect(again.entries[0]).toMatchObject({ attempt: 1, failures: 0 });
    expect(await one.cards.resume(card('c'))).toBe(false);
  });

  it('parked and skipped: it is a dead letter, the next one comes', async () => {
    const one = await member();
    const turn = await taken(one, 1, 2);
    expect(await one.cards.skip(card('c'))).toBe(false);
    await turn.park(ROW);
    one.end(turn);
    expect(await one.cards.skip(card('c'))).toBe(true);
    const next = await one.next();
    expect(payloadsOf(next.entries)).toEqual([2]);
    const [letter] = await one.cards.deadLetters.read(TOPIC, undefined, 10);
    expect(letter).toMatchObject({ reason: 'skipped', cardId: 'c', attempts: 3, error: 'boom' });
    await next.ack(1, 'next');
    one.end(next);
    expect(await one.cards.skip(card('c'))).toBe(false);
    await nothingHeld();
  });
});

describe('dead letters of cards', () => {
  it('take the head out of the way: the card goes on', async () => {
    const one = await member({}, 2);
    const turn = await taken(one, 1, 2, 3);
    expect(await turn.bury(ROW, 'keep')).toEqual([]);
    expect(payloadsOf(await turn.ack(1, 'next'))).toEqual([3]);
    expect(await turn.bury({ ...ROW, error: 'again' }, 'next')).toEqual([]);
    one.end(turn);
    const store = one.cards.deadLetters;
    expect(await store.types()).toEqual([TOPIC]);
    expect(await store.count(TOPIC)).toBe(2);
    const letters = await store.read(TOPIC, undefined, 10);
    expect(letters.map(({ error }) => error)).toEqual(['again', 'boom']);
    expect(letters[1]).toMatchObject({
      ...{
        type: TOPIC,
        cardId: 'c',
        reason: 'handler-failed',
        handler: 'h',
        attempts: 3,
        stack: 'at x',
        group: undefined,
      },
    });
    expect(letters[1]!.event).toMatchObject({ id: turn.entries[0]!.event!.id, time: turn.entries[0]!.event!.time });
    expect(letters[1]!.event!.payload()).toBe(1);
    expect(await store.read(TOPIC, letters[0]!.position, 10)).toEqual([letters[1]]);
    expect(await store.get(TOPIC, letters[0]!.position)).toEqual(letters[0]);
    expect(await store.get(TOPIC, 'x')).toBeUndefined();
    expect(await store.remove(TOPIC, [letters[0]!.position, '1-1', 'x'])).toBe(1);
    expect(one.warnings.filter(({ cause }) => cause === 'dead-letter')).toHaveLength(2);
    await nothingHeld();
  });

  it('come back to the end of their card, once, and say their operation when they fail again', async () => {
    const one = await member();
    const turn = await taken(one, 1, 2);
    await turn.bury(ROW, 'yield');
    one.end(turn);
    const next = await one.next();
    const store = one.cards.deadLetters;
    const [letter] = await store.read(TOPIC, undefined, 1);
    expect(await store.replay(TOPIC, letter!.position, 'op')).toBe(true);
    expect(await store.replay(TOPIC, letter!.position, 'op')).toBe(false);
    expect(await store.outstanding(TOPIC, undefined)).toBeGreaterThan(0);
    const entries = await next.ack(1, 'next');
    expect(payloadsOf(entries)).toEqual([1]);
    expect(entries[0]).toMatchObject({ attempt: 1, event: { id: letter!.event!.id } });
    await next.bury(ROW, 'next');
    one.end(next);
    expect(await store.read(TOPIC, undefined, 10)).toMatchObject([{ operation: 'op', cardId: 'c' }]);
    expect(await store.outstanding(TOPIC, undefined)).toBe(0);
  });

  it('of an entry with more fields than a script can copy', async () => {
    const one = await member();
    const fields = Array.from({ length: 9_000 }, (_, index) => String(index));
    await redis.raw.xadd(`event_stream:${TOPIC}:c`, '*', ...fields);
    await redis.raw.publish('group_change', `register:${TOPIC}:c`);
    const turn = await one.next();
    expect(await turn.bury(ROW, 'next')).toEqual([]);
    one.end(turn);
    const [letter] = await one.cards.deadLetters.read(TOPIC, undefined, 1);
    expect(letter?.cardId).toBe('c');
    expect(Object.keys(letter?.event?.payload() as object)).toHaveLength(4_500);
    await expect(one.cards.deadLetters.replay(TOPIC, letter!.position, 'op')).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    await nothingHeld();
  });
});

describe('a card as a whole', () => {
  it('is registered, listed page by page, and unregistered', async () => {
    const one = await openCardMember(redis.url);
    const heard = redis.raw.duplicate();
    const said: string[] = [];
    heard.on('message', (_channel: string, message: string) => void said.push(message));
    await heard.subscribe('group_change');
    const names = Array.from({ length: 25 }, (_, index) => `card:${String(index)}`);
    for (const name of names) await one.cards.register(card(name));
    await one.cards.register(card(names[0]!));
    expect(await one.cards.inspect(card('card:3'))).toMatchObject({ state: 'idle', length: 0, cardId: 'card:3' });
    expect(await one.cards.inspect(card('no'))).toBeUndefined();
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await one.cards.list(TOPIC, cursor, 7);
      expect(page.cards.length).toBeLessThanOrEqual(7);
      found.push(...page.cards.map(({ cardId }) => cardId));
      ({ cursor } = page);
    } while (cursor !== undefined);
    expect(found.sort()).toEqual(names.sort());
    expect(await one.cards.unregister(card('card:3'), 'drain')).toBe(0);
    expect(await one.cards.inspect(card('card:3'))).toBeUndefined();
    await waitFor(() => said.includes(`unregister:${TOPIC}:card:3`));
    expect(said).toContain(`register:${TOPIC}:card:3`);
    heard.disconnect();
  });

  it('unregistered with drain: what waits is handled first, then nothing is left of it', async () => {
    const one = await member();
    const turn = await taken(one, 1, 2);
    expect(await one.cards.unregister(card('c'), 'drain')).toBe(0);
    expect(await one.cards.inspect(card('c'))).toMatchObject({ state: 'owned', length: 2 });
    expect(await turn.ack(2, 'next')).toEqual([]);
    one.end(turn);
    expect(await one.cards.inspect(card('c'))).toBeUndefined();
    expect(await redis.raw.exists(`event_stream:${TOPIC}:c`)).toBe(0);
    await nothingHeld();
  });

  it('unregistered with drop: its events are gone, and its holder has lost it', async () => {
    const one = await member();
    const turn = await taken(one, 1, 2);
    const lost: Error[] = [];
    turn.onLost((reason) => void lost.push(reason));
    expect(await one.cards.unregister(card('c'), 'drop')).toBe(2);
    expect(await turn.ack(1, 'next')).toEqual([]);
    expect([turn.held, lost.length]).toEqual([false, 1]);
    one.end(turn);
    expect(await one.cards.inspect(card('c'))).toBeUndefined();
    await one.publish('c', 3);
    expect(payloadsOf((await one.next()).entries)).toEqual([3]);
  });

  it('of an unregister and a register the last one wins, however late another process hears of them', async () => {
    const proxy = await RedisProxy.start(redis.server);
    const one = await settledMember({}, proxy.url);
    const two = await openCardMember(redis.url);
    await two.cards.register(card('c'));
    proxy.hold(true);
    await two.cards.unregister(card('c'), 'drain');
    await two.cards.register(card('c'));
    proxy.hold(false);
    // What it does upon hearing comes before it takes this.
    await two.publish('probe', 1);
    await one.next();
    expect(await two.cards.inspect(card('c'))).toMatchObject({ state: 'idle' });
  });

  it('is not stored twice by its id where that is asked for', async () => {
    const one = await member({}, 10);
    const event = one.event(1);
    const first = await one.cards.publish(card('c'), event, { deduplicate: true });
    expect(await one.cards.publish(card('c'), event, { deduplicate: true })).toBe(first);
    await one.cards.publish(card('d'), event, { deduplicate: true });
    const turns = [await one.next(), await one.next()];
    expect(turns.map(({ cardId, entries }) => [cardId, entries.length]).sort()).toEqual([
      ['c', 1],
      ['d', 1],
    ]);
  });

  it('that is full refuses, and others of the same call do not', async () => {
    const one = await openCardMember(redis.url, { maxLength: 2 });
    await one.publish('c', 1, 2);
    const results = await Promise.allSettled([
      one.cards.publish(card('c'), one.event(3)),
      one.cards.publish(card('d'), one.event(4)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(results[0]).toMatchObject({ reason: { code: 'STREAM_FULL' } });
    expect(await redis.raw.xlen(`event_stream:${TOPIC}:c`)).toBe(2);
  });

  it('as fields: each key of the payload is a field, and other consumers are told', async () => {
    const one = await openCardMember(redis.url, { cards: { encoding: 'fields' } });
    const payloads = [{ a: 'x', n: 1, deep: { y: 'ü' } }, [1, 2], { data: 'own' }, {}, undefined];
    for (const payload of payloads)
      await one.cards.publish(card('c'), one.event(payload, payload === undefined ? { text: undefined } : {}));
    const rows = await redis.raw.xrange(`event_stream:${TOPIC}:c`, '-', '+');
    expect(rows.map(([, fields]) => fields)).toEqual([
      ['a', 'x', 'n', '1', 'deep', '{"y":"ü"}'],
      ['data', '[1,2]'],
      ['data', '{"data":"own"}'],
      ['data', '{}'],
      ['data', 'null'],
    ]);
    await one.consume(10);
    const turn = await one.next();
    expect(payloadsOf(turn.entries)).toEqual([
      { a: 'x', n: '1', deep: '{"y":"ü"}' },
      [1, 2],
      { data: 'own' },
      {},
      null,
    ]);
  });
});

describe('a topic', () => {
  it('has one service; processes of the same service share it', async () => {
    const one = await member();
    const other = await openCardMember(redis.url, {}, 'other');
    await expect(other.consume()).rejects.toBeInstanceOf(TopicInUseError);
    const two = await (await openCardMember(redis.url)).consume();
    for (const each of [one, two]) await each.driver.close();
    const longAgo = JSON.stringify({ service: 'test', seen: Date.now() - 3_700_000 });
    await redis.raw.hset('event_stream:{cards}:topics', TOPIC, longAgo);
    await other.consume();
    expect(one.warnings.filter(({ cause }) => cause === 'cards')).toEqual([]);
  });

  it('that is closed is nobody’s: what comes waits for the next', async () => {
    const one = await member();
    await one.source.close();
    await one.publish('c', 1);
    const two = await member();
    expect(payloadsOf((await two.next()).entries)).toEqual([1]);
    expect(one.turns).toEqual([]);
  });
});
