import type { SubscriberName } from '../handlers/subscribers.js';
import { Account } from '../ledger/account.js';
import { CardBook } from '../ledger/card-book.js';
import { Condition } from '../ledger/condition.js';
import { Member } from './member.js';

export interface ClusterOptions {
  readonly redisUrl: string;
  /** Added to the members' environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Ends all waiting. */
  readonly signal: AbortSignal;
}

/** Several processes of the application, and what each of them has handled. */
export class Cluster {
  readonly members: Member[] = [];
  /** What the card handlers of all members wrote, fenced. */
  readonly cards = new CardBook();
  private readonly condition = new Condition();
  private readonly failure = new AbortController();
  private readonly signal: AbortSignal;
  /** Over all members. */
  private readonly totals = new Map<string, Account>();

  constructor(private readonly options: ClusterOptions) {
    this.signal = AbortSignal.any([options.signal, this.failure.signal]);
  }

  /** Starts one more process. */
  start(): Promise<Member> {
    const member = new Member(`demo-${String(this.members.length + 1)}`, {
      ...this.options,
      condition: this.condition,
      signal: this.signal,
      handled: (handled) => {
        this.total(handled.subscriber).add(handled);
      },
      card: (entry) => {
        this.cards.add(entry);
      },
      failed: (error) => {
        this.failure.abort(error);
      },
    });
    this.members.push(member);
    return member.ready();
  }

  /** What a group has handled, in whichever process. */
  group(name: SubscriberName): Account {
    return this.total(name);
  }

  /** Resolves when `reached` holds, looking whenever a member has told something. */
  until(reached: () => boolean): Promise<void> {
    return this.condition.until(reached, this.signal);
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
  }

  private total(subscriber: string): Account {
    const account = this.totals.get(subscriber) ?? new Account();
    this.totals.set(subscriber, account);
    return account;
  }
}
