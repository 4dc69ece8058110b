import { expect, it } from '@jest/globals';
import { seeded, type random } from '../faults/kit.js';
import { HOUR, isTaken, useCardScripts, type CardScripts, type Handed, type Mode } from './card-scripts-kit.js';
import { CardModel, type HandedIds } from './card-scripts-oracle.js';

/** Thousands of calls of scripts in random order by several owners, each answer and each state as a simple model says. */

const kit = useCardScripts();
const NAMES = ['a', 'b', 'c:1', 'd'] as const;
const OWNERS = ['one|1', 'one|2', 'two|1'] as const;
const MODES: readonly Mode[] = ['keep', 'next', 'next', 'next', 'yield', 'release'];
const STEPS = 4_000;

/** What may happen, as often as it is named. */
const MOVES = [
  ...['publish', 'publish', 'foreign', 'register', 'sweep', 'idle', 'take', 'take', 'take', 'claim', 'claim'],
  ...['ack', 'ack', 'ack', 'ack', 'ack', 'retry', 'park', 'bury', 'alone', 'renew', 'expire', 'due', 'delete'],
  ...['resume', 'skip', 'unregister'],
] as const;

type Random = ReturnType<typeof random>;

/** What an owner believes to hold. */
interface View {
  readonly owner: string;
  readonly card: string;
  readonly token: string;
  ids: readonly string[];
}

class Play {
  readonly models = new Map(NAMES.map((name) => [name as string, new CardModel()]));
  /** Also those that are over: their owners do not know. */
  readonly views: View[] = [];
  private lastEpoch = 0n;
  private events = 0;
  readonly stored: string[] = [];

  constructor(
    private readonly cards: CardScripts,
    private readonly random: Random,
  ) {}

  model(card: string): CardModel {
    const model = this.models.get(card);
    if (model === undefined) throw new Error(`no card ${card}`);
    return model;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.random.below(from.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  /** One random call. Returns its name. */
  async step(): Promise<string> {
    const name = this.pick(MOVES);
    await this[name](this.pick(NAMES));
    return name;
  }

  private async publish(): Promise<void> {
    const batch = Array.from({ length: 1 + this.random.below(4) }, () => this.pick(NAMES));
    const before = new Map(NAMES.map((card) => [card as string, this.model(card).stored.length]));
    await this.cards.publish(batch.map((card) => ({ card, data: String(this.events++) })));
    for (const card of new Set(batch)) {
      const rows = await this.cards.raw.xrange(this.cards.stream(card), '-', '+');
      for (const [id] of rows.slice(before.get(card))) this.store(card, id, true);
    }
  }

  private async foreign(card: string): Promise<void> {
    this.store(card, await this.cards.foreign(card), false);
  }

  private store(card: string, id: string, announced: boolean): void {
    this.stored.push(`${card} ${id}`);
    this.model(card).store(id, announced);
  }

  private async register(card: string): Promise<void> {
    await this.cards.register(card);
    this.model(card).register();
  }

  private async sweep(): Promise<void> {
    await this.cards.sweep(NAMES);
    for (const model of this.models.values()) model.sweep(false, false);
  }

  private async idle(card: string): Promise<void> {
    const old = this.random.below(3) === 0;
    await this.cards.raw.zadd(this.cards.key('reg'), 'XX', Date.now() - (old ? 48 : 2) * HOUR, card);
    await this.cards.sweep([card], HOUR);
    this.model(card).sweep(true, old);
  }

  private async take(): Promise<void> {
    const names = NAMES.filter(() => this.random.below(2) === 0);
    if (names.length === 0) return;
    const [owner, n] = [this.pick(OWNERS), 1 + this.random.below(3)];
    const replies = await this.cards.take(owner, names, n);
    for (const [index, card] of names.entries()) {
      const reply = replies[index];
      const token = isTaken(reply) ? this.granted(reply[1]) : '';
      const model = this.model(card);
      const mine = model.token.slice(0, model.token.lastIndexOf('|')) === owner;
      const expected = model.take(mine, token, n);
      const handed = isTaken(reply) ? idsOf(['OK', reply[2], reply[3], reply[4], reply[5]]) : reply;
      expect({ card, reply: handed }).toEqual({ card, reply: expected });
      if (token !== '') this.views.push({ owner, card, token, ids: (expected as HandedIds).ids });
    }
  }

  private async claim(): Promise<void> {
    const [owner, most] = [this.pick(OWNERS), this.random.below(4)];
    const order = new Map<string, number>();
    const rows = await this.cards.raw.zrange(this.cards.key('rdy'), '0', '-1', 'WITHSCORES');
    for (let index = 0; index < rows.length; index += 2) order.set(rows[index] ?? '', Number(rows[index + 1]));
    for (const [card, model] of this.models) {
      if (model.token !== '' && model.expired) order.set(card, 0);
      if (model.waits === 'due') order.set(card, 2);
      model.settleTime();
    }
    const queue = [...order].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).map(([card]) => card);
    const [, left, ...granted] = await this.cards.claim(owner, most);
    const expected: string[] = [];
    while (queue.length > 0 && expected.length < most) {
      const card = queue.shift() ?? '';
      const model = this.model(card);
      model.ready = false;
      if (!model.live && model.waits === '') expected.push(card);
    }
    expect(granted.filter((_, index) => index % 2 === 0)).toEqual(expected);
    expect(left).toBe(queue.length);
    for (const [index, card] of expected.entries()) {
      const token = this.granted(granted[2 * index + 1] ?? '');
      this.model(card).grant(token);
      this.views.push({ owner, card, token, ids: [] });
    }
  }

  private async ack(): Promise<void> {
    const view = this.view();
    if (view === undefined) return;
    const { card, token } = view;
    const mode = this.pick(MODES);
    // `next` is for when everything in hand is acknowledged.
    const count =
      mode === 'next' && this.random.below(4) > 0 ? view.ids.length : this.random.below(view.ids.length + 1);
    const [n, clear, ids] = [1 + this.random.below(3), this.random.below(2) === 0, view.ids.slice(0, count)];
    const reply = await this.cards.ack(card, token, mode, n, clear ? 1 : 0, ids);
    const model = this.model(card);
    if (reply !== 'STALE') {
      // What is acknowledged is what was stored first.
      const there = ids.filter((id) => !model.lost.includes(id));
      expect({ card, there }).toEqual({ card, there: model.stored.slice(0, there.length) });
    }
    this.compare(view, reply, model.ack(token, mode, n, clear, ids), ids.length);
  }

  private async retry(): Promise<void> {
    const view = this.view();
    const head = view?.ids[0];
    if (view === undefined || head === undefined) return;
    const [due, counted] = [this.random.below(2) === 0, this.random.below(2)];
    const reply = await this.cards.retry(view.card, view.token, head, HOUR, counted);
    if (due && reply !== 'STALE') await this.cards.due(view.card);
    expect(reply).toBe(this.model(view.card).fail(view.token, head, due ? 'due' : 'later', counted, 0));
  }

  private async park(): Promise<void> {
    const view = this.view();
    const head = view?.ids[0];
    if (view === undefined || head === undefined) return;
    const reply = await this.cards.park(view.card, view.token, head, 3);
    expect(reply).toBe(this.model(view.card).fail(view.token, head, 'parked', 0, 3));
  }

  private async bury(): Promise<void> {
    const view = this.view();
    const head = view?.ids[0];
    if (view === undefined || head === undefined) return;
    const mode = this.pick(['keep', 'next', 'yield'] as const);
    const reply = await this.cards.bury(view.card, view.token, head, mode);
    this.compare(view, reply, this.model(view.card).bury(view.token, head, mode, 10), reply === 'LOST' ? 0 : 1);
  }

  private async alone(): Promise<void> {
    const view = this.view();
    const head = view?.ids[0];
    if (view === undefined || head === undefined) return;
    expect(await this.cards.alone(view.card, view.token, head)).toBe(this.model(view.card).alone(view.token, head));
  }

  private async renew(): Promise<void> {
    const view = this.view();
    if (view === undefined) return;
    const model = this.model(view.card);
    const held = model.token === view.token;
    expect(await this.cards.renew(view.card, view.token)).toEqual(held ? [] : [view.card]);
    if (held) model.expired = false;
  }

  private async expire(card: string): Promise<void> {
    await this.cards.expire(card);
    this.model(card).expired = this.model(card).token !== '';
  }

  private async due(card: string): Promise<void> {
    if (this.model(card).waits !== 'later') return;
    await this.cards.due(card);
    this.model(card).waits = 'due';
  }

  private async delete(card: string): Promise<void> {
    const { stored } = this.model(card);
    if (stored.length === 0 || this.random.below(3) > 0) return;
    const id = this.pick(stored);
    await this.cards.raw.xdel(this.cards.stream(card), id);
    this.model(card).delete(id);
  }

  private async unregister(card: string): Promise<void> {
    if (this.random.below(4) > 0) return;
    const drop = this.random.below(3) === 0;
    const count = await this.cards.unregister(card, drop ? 'drop' : 'drain');
    expect(count).toBe(this.model(card).unregister(drop));
  }

  private async resume(card: string): Promise<void> {
    expect(await this.cards.resume(card)).toBe(this.model(card).resume());
  }

  private async skip(card: string): Promise<void> {
    if (this.random.below(3) === 0) expect(await this.cards.skip(card)).toBe(this.model(card).skip());
  }

  /** Mostly one that is not over. */
  private view(): View | undefined {
    const held = this.views.filter(({ card, token }) => this.model(card).token === token);
    const from = held.length > 0 && this.random.below(4) > 0 ? held : this.views.slice(-20);
    return from.length === 0 ? undefined : this.pick(from);
  }

  private compare(view: View, reply: unknown, expected: unknown, settled: number): void {
    const handed = Array.isArray(reply) && reply[0] === 'OK' ? idsOf(reply as Handed) : reply;
    expect({ card: view.card, reply: handed }).toEqual({ card: view.card, reply: expected });
    if (reply === 'KEPT') view.ids = view.ids.slice(settled);
    else if (handed !== reply) view.ids = (handed as HandedIds).ids;
  }

  private granted(token: string): string {
    const epoch = BigInt(token.slice(token.lastIndexOf('|') + 1));
    expect(epoch > this.lastEpoch).toBe(true);
    this.lastEpoch = epoch;
    return token;
  }

  /** Everything that the server says of the cards is what the models say. */
  async check(): Promise<void> {
    const facts = await this.cards.inspect(NAMES);
    for (const [index, card] of NAMES.entries()) {
      const [said, model] = [facts[index], this.model(card)];
      expect({ card, said }).toMatchObject({ card, said: model.facts() });
      expect({ card, ready: said?.ready !== '', active: said?.active !== '', leased: said?.end !== '' }).toEqual({
        ...{ card, ready: model.ready, active: model.registered, leased: model.token !== '' },
      });
      const waits = said?.waits === 'inf' ? 'parked' : said?.waits === '2' ? 'due' : said?.waits === '' ? '' : 'later';
      expect({ card, waits }).toEqual({ card, waits: model.waits });
      expect({ card, stuck: model.stuck }).toEqual({ card, stuck: false });
    }
  }
}

function idsOf([, again, lost, attempts, entries]: Handed): HandedIds {
  return {
    ...{ again, lost, ids: entries.map(([id]) => id) },
    attempts: attempts === '' ? undefined : (JSON.parse(attempts) as HandedIds['attempts']),
  };
}

it('does what the model does, whatever comes after what', async () => {
  await seeded(async (random) => {
    const { cards } = kit;
    const play = new Play(cards, random);
    const trail: string[] = [];
    try {
      for (let step = 0; step < STEPS; step++) {
        trail.push(await play.step());
        await play.check();
      }
    } catch (error) {
      throw new Error(`after ${String(trail.length)} calls, the last ${trail.slice(-8).join(', ')}: ${String(error)}`, {
        cause: error,
      });
    }

    // In the end every event that was stored is acknowledged, a letter, or was deleted or dropped, once.
    for (const card of NAMES) {
      await cards.resume(card);
      await cards.expire(card);
    }
    await cards.sweep(NAMES);
    for (const card of NAMES) {
      const [taken] = await cards.take('last|1', [card], 1_000_000);
      if (!isTaken(taken)) continue;
      const ids = taken[5].map(([id]) => id);
      expect({ card, ids }).toEqual({ card, ids: play.model(card).stored });
      expect(await cards.ack(card, taken[1], 'next', 1, 1, ids)).toBe('EMPTY');
      play.model(card).ended.push(...ids);
    }
    const ends = [...play.models].flatMap(([card, { ended, letters, lost }]) =>
      [...ended, ...letters, ...lost].map((id) => `${card} ${id}`),
    );
    expect(ends.sort()).toEqual(play.stored.sort());
    for (const name of ['rdy', 'own', 'exp', 'blk', 'att']) {
      expect([name, await cards.raw.exists(cards.key(name))]).toEqual([name, 0]);
    }
  });
}, 120_000);
