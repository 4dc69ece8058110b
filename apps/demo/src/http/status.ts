import { Injectable } from '@nestjs/common';
import { EventService } from 'nestjs-cardinal';
import { Backend } from '../backend.js';
import { SelfCheck, type Verdict } from '../check/self-check.js';
import { Audit } from '../handlers/audit.js';
import { LineTotals } from '../handlers/line-totals.js';
import { SUBSCRIBERS, type SubscriberKind } from '../handlers/subscribers.js';
import { History } from '../history/history.js';
import { Player } from '../history/player.js';
import { Ledger } from '../ledger/ledger.js';

export interface Status {
  readonly instanceId: string;
  readonly backend: string;
  /** Of the history: its changes, and how many of them this process has published. */
  readonly changes: number;
  readonly published: number;
  /** Files that there are lines of. */
  readonly files: number;
  readonly subscribers: readonly { name: string; kind: SubscriberKind; events: number; repeats: number }[];
  /** What the audit group handled here, by type. */
  readonly types: Readonly<Record<string, number>>;
  readonly check: Verdict;
}

/** What happens in this process. */
@Injectable()
export class StatusReader {
  constructor(
    private readonly events: EventService,
    private readonly backend: Backend,
    private readonly history: History,
    private readonly player: Player,
    private readonly totals: LineTotals,
    private readonly audit: Audit,
    private readonly ledger: Ledger,
    private readonly check: SelfCheck,
  ) {}

  read(): Status {
    return {
      instanceId: this.events.instanceId,
      backend: this.backend.name,
      changes: this.history.changes.length,
      published: this.player.published,
      files: this.totals.size,
      subscribers: SUBSCRIBERS.map(({ name, kind }) => {
        const { events, repeats } = this.ledger.account(name);
        return { name, kind, events, repeats };
      }),
      types: this.audit.counts,
      check: this.check.result().verdict,
    };
  }
}
