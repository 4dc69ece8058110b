import { Injectable } from '@nestjs/common';
import type { SubscriberName } from '../handlers/subscribers.js';
import { Account, type Handled } from './account.js';
import { Condition } from './condition.js';

/** The books of this process: which events it has handled, by subscriber. */
@Injectable()
export class Ledger {
  private readonly accounts = new Map<string, Account>();
  private readonly condition = new Condition();
  private report: ((handled: Handled) => Promise<void>) | undefined;

  account(subscriber: SubscriberName): Account {
    return this.open(subscriber);
  }

  has(subscriber: string, id: string): boolean {
    return this.open(subscriber).has(id);
  }

  /** Resolves when it is on the books, and has been reported where somebody wants that. */
  async add(handled: Handled): Promise<void> {
    this.open(handled.subscriber).add(handled);
    await this.report?.(handled);
    this.condition.changed();
  }

  /** Tells somebody else about every event, before the event is acknowledged. */
  reportTo(report: (handled: Handled) => Promise<void>): void {
    this.report = report;
  }

  /** Resolves when `reached` holds, looking after each handled event. */
  until(reached: () => boolean, signal?: AbortSignal): Promise<void> {
    return this.condition.until(reached, signal);
  }

  private open(subscriber: string): Account {
    const account = this.accounts.get(subscriber) ?? new Account();
    this.accounts.set(subscriber, account);
    return account;
  }
}
