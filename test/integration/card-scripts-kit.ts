import { afterEach, beforeAll } from '@jest/globals';
import { Redis } from 'ioredis';
import { waitFor } from 'nestjs-cardinal/testing';
import { onCleanup } from '../support/cleanup.js';
import { scripts } from '../support/internals.js';
import { startRedis } from '../support/redis.js';

export const TOPIC = 't';
/** Longer than any test takes, ms. */
export const HOUR = 3_600_000;
const PREFIX = 'event_stream:';
const READY = 'event_stream:ready';

type Text = string | number;
export type Entry = [id: string, fields: string[]];
/** What is handed over to a holder. */
export type Handed = ['OK', again: number, lost: number, attempts: string, entries: Entry[]];
export type Taken = ['OK', token: string, again: number, lost: number, attempts: string, entries: Entry[]];
export type Lost = ['EMPTY', number] | ['ERR', string];
export type Mode = 'keep' | 'next' | 'yield' | 'release';
export type Ack = readonly [
  card: string,
  token: string,
  mode: Mode,
  n?: number,
  clear?: 0 | 1,
  ids?: readonly string[],
];
export type Row = [id: string, failures: number, crashes: number, alone: number, noted: number, error: string];

/** What is to be published: to which card, the text of `data`, the id where it is stored once. */
export interface Event {
  readonly card: string;
  readonly data: string;
  readonly once?: string;
}

/** A card as card-inspect.lua says it. */
export interface Facts {
  readonly exists: boolean;
  readonly length: number;
  readonly pending: number;
  readonly token: string;
  readonly end: string;
  readonly ready: string;
  readonly waits: string;
  readonly active: string;
  readonly attempts: Row | undefined;
  readonly leaving: boolean;
}

/** Calls the scripts of cards by themselves, all of one topic. */
export class CardScripts {
  /** What came on the channels. */
  private readonly heard: string[] = [];
  private sequence = 0;

  /** @param tagOf the hash tag of the keys beside a stream */
  constructor(
    readonly raw: Redis,
    private readonly listener: Redis,
    private readonly all: Readonly<Record<string, { readonly keys: number | null; readonly lua: string }>>,
    private readonly tagOf: (stream: string) => string = () => 'x',
  ) {
    listener.on('message', (channel: string, message: string) => {
      this.heard.push(channel === READY ? `ready ${message.replaceAll('\n', ' ')}` : message);
    });
  }

  async listen(): Promise<this> {
    await this.listener.subscribe(READY, 'group_change', 'mark');
    return this;
  }

  stream(card: string): string {
    return `${PREFIX}${TOPIC}:${card}`;
  }

  group(card: string): string {
    return `${TOPIC}:${card}`;
  }

  key(name: string, card = 'c'): string {
    return `${PREFIX}{${this.tagOf(this.stream(card))}}:${TOPIC}:${name}`;
  }

  keys(card = 'c'): string[] {
    return ['reg', 'rdy', 'own', 'exp', 'blk', 'att', 'ep', 'unr', 'dead'].map((name) => this.key(name, card));
  }

  async run(name: string, keys: readonly string[], args: readonly Text[]): Promise<unknown> {
    const script = this.all[name];
    if (script === undefined) throw new Error(`there is no script ${name}`);
    if (script.keys !== null && script.keys !== keys.length) throw new Error(`${name} takes other keys`);
    return this.raw.eval(script.lua, keys.length, ...keys, ...args);
  }

  /** Calls a script with the index and the streams of cards. */
  private about(name: string, cards: readonly string[], args: readonly Text[]): Promise<unknown> {
    return this.run(name, [...this.keys(cards[0]), ...cards.map((card) => this.stream(card))], args);
  }

  async publish(
    events: readonly Event[],
    { encoding = 'c', maxLength = 1_000, sequence = String(this.sequence++), publisher = 'p' } = {},
  ): Promise<unknown[]> {
    const cards = [...new Set(events.map(({ card }) => card))];
    const first = cards[0] ?? '';
    const texts = events.map(({ data, once }, index) => [
      JSON.stringify([once ?? `e${String(index)}`, 's', 'i']),
      data,
    ]);
    const once = events.flatMap((event, index) => (event.once === undefined ? [] : [index]));
    const last = `${PREFIX}{${this.tagOf(this.stream(first))}}:pub:${publisher}`;
    const keys = [...this.keys(first), last, this.key('ids', first), ...cards.map((card) => this.stream(card))];
    return (await this.run('cardPublish', keys, [
      ...[sequence, maxLength, encoding, READY, TOPIC, events.length],
      texts.map((pair) => pair.map((text) => Buffer.byteLength(text)).join(' ')).join(' '),
      texts.flat().join(''),
      once.join(' '),
      events.map(({ card }) => cards.indexOf(card) + 1).join(' '),
      ...cards,
    ])) as unknown[];
  }

  register(card = 'c'): Promise<unknown> {
    return this.about('cardRegister', [card], [TOPIC, card, READY]);
  }

  sweep(cards: readonly string[], idleAfter = 0, keep = 24 * HOUR, channel = READY): Promise<unknown> {
    return this.about('cardSweep', cards, [idleAfter, keep, channel, TOPIC, ...cards]);
  }

  async take(owner: string, cards: readonly string[], n = 10): Promise<(string | Taken | Lost)[]> {
    return (await this.about('cardTake', cards, [owner, HOUR, n, TOPIC, ...cards])) as (string | Taken | Lost)[];
  }

  /** Takes one card, which has events. */
  async hold(owner: string, card = 'c', n = 10): Promise<{ token: string; ids: string[]; taken: Taken }> {
    const [taken] = await this.take(owner, [card], n);
    if (!isTaken(taken)) throw new Error(`${card} is not there: ${JSON.stringify(taken)}`);
    return { token: taken[1], ids: taken[5].map(([id]) => id), taken };
  }

  async claim(owner: string, most = 10, moved = 100, card = 'c'): Promise<[due: string, left: number, ...string[]]> {
    return (await this.run('cardClaim', this.keys(card), [owner, HOUR, most, moved])) as [string, number, ...string[]];
  }

  async acks(acks: readonly Ack[]): Promise<(string | Handed | Lost)[]> {
    const rows = acks.flatMap(([card, token, mode, n = 10, clear = 0, ids = []]) => [
      ...[card, token, mode, n, clear, ids.length],
      ...ids,
    ]);
    const cards = acks.map(([card]) => card);
    return (await this.about('cardAck', cards, [TOPIC, HOUR, READY, ...rows])) as (string | Handed | Lost)[];
  }

  async ack(...ack: Ack): Promise<string | Handed | Lost | undefined> {
    return (await this.acks([ack]))[0];
  }

  fail(card: string, token: string, id: string, what: string, ...args: Text[]): Promise<unknown> {
    return this.about('cardFail', [card], [TOPIC, card, token, HOUR, id, what, ...args]);
  }

  retry(card: string, token: string, id: string, delay = HOUR, counted = 1, error = 'oops'): Promise<unknown> {
    return this.fail(card, token, id, 'retry', delay, counted, error);
  }

  park(card: string, token: string, id: string, attempts = 3, error = 'oops'): Promise<unknown> {
    return this.fail(card, token, id, 'park', error, attempts);
  }

  bury(card: string, token: string, id: string, mode: Mode, ce = '', data = ''): Promise<unknown> {
    const letter = ['anycast', 'handler-failed', 'h', 3, 'oops', 'stack', ce, data];
    return this.fail(card, token, id, 'dead', mode, 10, ...letter);
  }

  alone(card: string, token: string, id: string): Promise<unknown> {
    return this.run('cardAlone', this.keys(card), [card, token, id]);
  }

  renew(...rows: string[]): Promise<unknown> {
    return this.run('cardRenew', this.keys(rows[0]), [HOUR, ...rows]);
  }

  unregister(card: string, what: 'drain' | 'drop', told = 1): Promise<unknown> {
    return this.about('cardUnregister', [card], [TOPIC, card, what, told]);
  }

  resume(card = 'c'): Promise<unknown> {
    return this.about('cardResume', [card], [TOPIC, card, READY]);
  }

  skip(card = 'c'): Promise<unknown> {
    return this.about('cardSkip', [card], [TOPIC, card, READY, 'anycast', 'skipped by hand']);
  }

  replay(letter: string, operation = 'op', card = 'c'): Promise<unknown> {
    return this.about('cardReplay', [card], [letter, operation, TOPIC, card, READY]);
  }

  async inspect(cards: readonly string[]): Promise<Facts[]> {
    const rows = (await this.about('cardInspect', cards, [TOPIC, ...cards])) as Text[][];
    return rows.map(([exists, length, pending, token, end, ready, waits, active, attempts, leaving]) => ({
      ...{ exists: exists === 1, length: Number(length), pending: Number(pending) },
      ...{ token: String(token), end: String(end), ready: String(ready), waits: String(waits), active: String(active) },
      attempts: attempts === '' ? undefined : (JSON.parse(String(attempts)) as Row),
      leaving: leaving === 1,
    }));
  }

  async facts(card = 'c'): Promise<Facts> {
    const [facts] = await this.inspect([card]);
    if (facts === undefined) throw new Error('no facts');
    return facts;
  }

  /** Ends a lease whose holder says nothing. */
  async expire(card = 'c'): Promise<void> {
    await this.raw.zadd(this.key('exp', card), 'XX', 1, card);
  }

  /** Ends a backoff. */
  async due(card = 'c'): Promise<void> {
    await this.raw.zadd(this.key('blk', card), 'XX', 2, card);
  }

  /** An event of a program in another language. */
  async foreign(card = 'c', id = '*', ...fields: string[]): Promise<string> {
    return (await this.raw.xadd(this.stream(card), id, ...(fields.length > 0 ? fields : ['n', '1']))) ?? '';
  }

  /** Cards in one of the sorted sets of the index, by score. */
  members(name: string): Promise<string[]> {
    return this.raw.zrange(this.key(name), '0', '-1');
  }

  /** Everything that was published so far, after a mark that comes last. */
  async news(): Promise<string[]> {
    await this.raw.publish('mark', 'mark');
    await waitFor(() => this.heard.includes('mark'));
    return this.heard.splice(0).slice(0, -1);
  }

  /** The letters' fields, oldest first. */
  async letters(): Promise<Record<string, string>[]> {
    const rows = await this.raw.xrange(this.key('dead'), '-', '+');
    return rows.map(([, fields]) => record(fields));
  }

  async allKeys(): Promise<string[]> {
    return (await this.raw.keys('*')).sort();
  }
}

export function isTaken(reply: string | Taken | Lost | undefined): reply is Taken {
  return reply?.[0] === 'OK';
}

export function record(fields: readonly string[]): Record<string, string> {
  const all: Record<string, string> = {};
  for (let index = 0; index < fields.length; index += 2) all[fields[index] ?? ''] = fields[index + 1] ?? '';
  return all;
}

/** Events of one card. */
export function some(count: number, card = 'c', from = 0): Event[] {
  return Array.from({ length: count }, (_, index) => ({ card, data: String(from + index) }));
}

/** The `data` of what was handed over. */
export function dataOf(reply: unknown): string[] {
  const entries = (reply as unknown[]).at(-1) as Entry[];
  return entries.map(([, fields]) => record(fields)['data'] ?? '');
}

/** A private server for the tests of the file that calls it, emptied after each. */
export function useCardScripts(): {
  readonly cards: CardScripts;
  /** Publishes so many events to a card, and takes it for the owner `one|1`; what was told by then is forgotten. */
  held(count: number): Promise<{ token: string; head: string; ids: string[] }>;
} {
  let cards: CardScripts | undefined;
  beforeAll(async () => {
    const server = await startRedis({ private: true });
    const raw = new Redis(server.url);
    const listener = new Redis(server.url);
    // Not afterAll: that runs when the server is gone already.
    onCleanup(async () => {
      await Promise.all([raw.quit(), listener.quit()]);
    });
    cards = await new CardScripts(raw, listener, await scripts()).listen();
  });
  afterEach(async () => {
    await cards?.raw.flushall();
    await cards?.news();
  });
  const running = (): CardScripts => {
    if (cards === undefined) throw new Error('the server is not there yet');
    return cards;
  };
  return {
    get cards() {
      return running();
    },
    async held(count) {
      await running().publish(some(count));
      const { token, ids } = await running().hold('one|1');
      await running().news();
      return { token, head: ids[0] ?? '', ids };
    },
  };
}
