import { callScript, type Argument, type ScriptName } from '../commands.js';
import { BackendError } from '../../../core/errors.js';
import { messageOf } from '../../../core/message-of.js';
import { Appetite } from './appetite.js';
import type { CardHost } from './card-host.js';
import type { CardEntry, RawEntry } from './card-entry.js';
import type { ClaimResult } from './card-claims.js';
import { Coalescer } from './coalescer.js';
import { copyLetter, failArgs } from './head-fates.js';
import { LeaseKeeper } from './lease-keeper.js';
import type { HeadFate, RedisTurn, TurnHost, TurnReply } from './redis-turn.js';

/** Acknowledgements, and cards to be taken, that one call carries; calls of a kind that are under way at once. */
const ACKS = 200;
const TAKES = 100;
const CALLS = 2;
/** Leases that one call renews, and cards whose wait or lease has ended that one claim makes ready. */
const RENEWALS = 50;
const MOVED = 100;

/** Rows of an index that are read at once. */
const PAGE = 500;

/** A card that was granted. */
type Granted = readonly [cardId: string, token: string];

/** What a slot tells its topic. */
export interface SlotTopic {
  readonly topic: string;
  /** Entries of a card that are handed over together, at most. */
  readonly take: number;
  /** A card was granted, or not: then it has no entries. */
  opened(turn: RedisTurn): void;
  ended(turn: RedisTurn): void;
  /** A card of the slot waits for so many ms. */
  waits(slot: TopicSlot, ms: number): void;
}

type TakeReply =
  | readonly ['OK', token: string, again: number, lost: number, attempts: string, entries: readonly RawEntry[]]
  | readonly ['EMPTY', lost: number]
  | readonly ['ERR', message: string]
  | 'BUSY'
  | 'BLOCKED'
  | 'EMPTY';

/** The answer of a call that is repeated until there is one. */
interface Answer {
  readonly reply: unknown;
  /** When the try began that was answered, ms. */
  readonly since: number;
  /** An earlier try may have run. */
  readonly repeated: boolean;
}

/** Those cards of a topic whose keys lie together, and the calls about them. In a Cluster: one slot's; else all. */
export class TopicSlot implements TurnHost {
  readonly keys: readonly string[];
  private readonly acks = new Coalescer<RedisTurn>(ACKS, CALLS, (turns) => this.sendAcks(turns));
  private readonly takes = new Coalescer<RedisTurn>(TAKES, CALLS, (turns) => this.sendTakes(turns));
  private readonly leases: LeaseKeeper<RedisTurn>;
  private readonly appetite: Appetite;

  constructor(
    private readonly host: CardHost,
    private readonly owner: SlotTopic,
    readonly tag: string,
  ) {
    this.keys = host.keys.index(owner.topic, tag);
    this.appetite = new Appetite(owner.take);
    this.leases = new LeaseKeeper(host.clock, this.lease, (turns) => {
      for (let start = 0; start < turns.length; start += RENEWALS) this.renew(turns.slice(start, start + RENEWALS));
    });
  }

  get topic(): string {
    return this.owner.topic;
  }

  get lease(): number {
    return this.host.options.lease;
  }

  /** Cards that this process has asked for by name. */
  get taking(): number {
    return this.takes.open;
  }

  now(): number {
    return this.host.clock.now();
  }

  /** Tries to take a card. The turn is opened, sooner or later. */
  take(turn: RedisTurn): void {
    this.takes.ask(turn);
  }

  acknowledge(turn: RedisTurn): void {
    this.acks.ask(turn);
  }

  settleHead(turn: RedisTurn, head: CardEntry, fate: HeadFate): void {
    this.sendFate(turn, head, fate).catch((error: unknown) => {
      turn.fail(error as Error);
    });
  }

  async noteAlone({ cardId, token }: RedisTurn, { sequence }: CardEntry): Promise<number | undefined> {
    const { reply } = await this.call('cardAlone', [...this.keys, cardId, token, sequence]);
    return reply === 'STALE' ? undefined : Number(reply);
  }

  opened(turn: RedisTurn): void {
    if (turn.entries.length > 0) this.leases.add(turn);
    this.owner.opened(turn);
  }

  released(turn: RedisTurn): void {
    this.leases.delete(turn);
  }

  ended(turn: RedisTurn): void {
    this.leases.delete(turn);
    this.owner.ended(turn);
  }

  refused({ topic, cardId }: RedisTurn): void {
    this.host.warn({
      cause: 'card-lost',
      message: `card '${cardId}' of topic '${topic}' is another process's by now, or gone: what this process said of it was refused. It stood still for longer than the lease (${String(this.lease)} ms), or somebody dropped the card`,
      details: { topic, cardId },
    });
  }

  missed({ topic, cardId }: RedisTurn, count: number): void {
    this.host.warn({
      cause: 'cards',
      message: `${String(count)} events of card '${cardId}' of topic '${topic}' were handed over and are gone from its stream: somebody trims or deletes there`,
      details: { topic, cardId, count },
    });
  }

  weighed(size: number): void {
    this.appetite.taste(size);
  }

  failed({ topic, cardId }: RedisTurn, error: Error): void {
    this.host.readFailed(`card '${cardId}' of topic '${topic}'`, error);
  }

  /**
   * Takes cards that wait, `most` at most. Not repeated: what an answer that was lost has granted, nobody would know of.
   */
  async claim(most: number): Promise<{ readonly granted: readonly Granted[] } & Omit<ClaimResult, 'granted'>> {
    const args = [...this.keys, this.host.owner, this.lease, most, MOVED];
    const reply = (await this.host.connection.script('cardClaim', args)) as [string, number, ...string[]];
    const [due, left, ...rows] = reply;
    return { granted: pairs(rows), left, due: due === '' ? undefined : Number(due) };
  }

  /** Makes ready those that have events and are not, and removes those that have been idle for long. Gives the former. */
  async sweep(cards: readonly string[], idleAfter: number, registeredFor: number): Promise<readonly string[]> {
    const { connection } = this.host;
    const args = this.variadic(cards, [idleAfter, registeredFor, '', this.topic, ...cards]);
    const [, , ...woken] = (await connection.script('cardSweep', args)) as [number, number, ...string[]];
    return woken;
  }

  /** Unregisters a card when what waits has been handled, because another program says so. */
  async unregister(cardId: string): Promise<void> {
    const { connection, keys } = this.host;
    const args = [...this.keys, keys.stream(this.topic, cardId), this.topic, cardId, 'drain', 0];
    await connection.script('cardUnregister', args);
  }

  /** Cards that the server counts as held by this process; one page of them. */
  async granted(cursor: string): Promise<readonly [next: string, cards: readonly Granted[]]> {
    const { connection, owner } = this.host;
    const [, , own = ''] = this.keys;
    const [next, rows] = await connection.run((client) => client.hscan(own, cursor, 'COUNT', PAGE));
    return [next, pairs(rows).filter(([, token]) => token.startsWith(`${owner}|`))];
  }

  /** Registered cards; one page of them. */
  async registered(cursor: string): Promise<readonly [next: string, cards: readonly string[]]> {
    const [registered = ''] = this.keys;
    const [next, rows] = await this.host.connection.run((client) => client.zscan(registered, cursor, 'COUNT', PAGE));
    return [next, pairs(rows).map(([cardId]) => cardId)];
  }

  /** Resolves when every acknowledgement that was asked for is answered. */
  idle(): Promise<void> {
    return this.acks.idle();
  }

  stop(): void {
    this.leases.stop();
  }

  private async sendAcks(turns: readonly RedisTurn[]): Promise<void> {
    const rest: (string | number)[] = [this.topic, this.lease, this.host.keys.ready];
    for (const turn of turns) {
      rest.push(turn.cardId, turn.token, turn.after, this.appetite.most, turn.clears);
      turn.writeIds(rest);
    }
    const args = this.variadic(turns, rest);
    const { reply, since, repeated } = await this.call('cardAck', args);
    for (const [index, turn] of turns.entries()) turn.answer((reply as TurnReply[])[index] ?? 'STALE', since, repeated);
  }

  private async sendTakes(turns: readonly RedisTurn[]): Promise<void> {
    const cards = turns.map(({ cardId }) => cardId);
    const args = this.variadic(cards, [this.host.owner, this.lease, this.appetite.most, this.topic, ...cards]);
    const { reply, since } = await this.call('cardTake', args);
    for (const [index, turn] of turns.entries()) this.taken(turn, (reply as TakeReply[])[index] ?? 'BUSY', since);
  }

  private taken(turn: RedisTurn, reply: TakeReply, since: number): void {
    if (typeof reply === 'string') turn.answer('EMPTY', since, false);
    else if (reply[0] === 'OK') {
      const [, token, again, lost, attempts, entries] = reply;
      turn.token = token;
      turn.answer(['OK', again, lost, attempts, entries], since, false);
    } else turn.answer(reply, since, false);
  }

  private async sendFate(turn: RedisTurn, head: CardEntry, fate: HeadFate): Promise<void> {
    const { keys, topic } = this;
    const { cardId, token } = turn;
    const stream = this.host.keys.stream(topic, cardId);
    const args = failArgs(head, fate, this.appetite.most);
    const about = [topic, cardId, token, this.lease, head.sequence];
    const { reply, since, repeated } = await this.call('cardFail', [...keys, stream, ...about, ...args]);
    if (fate.kind === 'dead' && reply !== 'STALE') {
      const { letters, keys: names } = this.host;
      if (reply === 'BIG')
        await copyLetter(this.host, { stream, dead: names.dead(topic, this.tag) }, turn, head, fate.row);
      if (reply !== 'LOST') {
        await letters.filed(topic, this.tag);
        letters.tell(topic, cardId, head.event?.id ?? head.sequence, fate.row);
      }
      if (reply === 'BIG' || reply === 'LOST') {
        this.acks.ask(turn);
        return;
      }
    }
    if (fate.kind === 'retry') this.owner.waits(this, fate.failure.delay);
    turn.answer(reply as TurnReply, since, repeated);
  }

  private renew(turns: readonly RedisTurn[]): void {
    const since = this.now();
    const args = [...this.keys, this.lease, ...turns.flatMap(({ cardId, token }) => [cardId, token])];
    this.host.connection.script('cardRenew', args).then(
      (reply) => {
        const lost = new Set(reply as string[]);
        for (const turn of turns)
          if (lost.has(turn.cardId)) turn.lose('another process holds it, or its keys are gone');
          else turn.renewed(since);
      },
      (error: unknown) => {
        if (this.host.connection.isUp) this.host.readFailed(`leases of topic '${this.topic}'`, error);
      },
    );
  }

  /** Repeats a call until it is answered: these scripts may run twice. */
  private async call(name: ScriptName, args: readonly Argument[]): Promise<Answer> {
    let tries = 0;
    let since = 0;
    try {
      const reply = await this.host.connection.persist((client) => {
        tries++;
        since = this.now();
        return callScript(client, name, args);
      });
      return { reply, since, repeated: tries > 1 };
    } catch (error) {
      throw error instanceof Error ? error : new BackendError(messageOf(error), error);
    }
  }

  private variadic(cards: readonly (string | RedisTurn)[], rest: readonly Argument[]): Argument[] {
    const { keys, topic } = this;
    const args: Argument[] = [keys.length + cards.length, ...keys];
    for (const card of cards) args.push(this.host.keys.stream(topic, typeof card === 'string' ? card : card.cardId));
    for (const each of rest) args.push(each);
    return args;
  }
}

function pairs(rows: readonly string[]): Granted[] {
  const all: Granted[] = [];
  for (let index = 0; index + 1 < rows.length; index += 2) all.push([rows[index] ?? '', rows[index + 1] ?? '']);
  return all;
}
