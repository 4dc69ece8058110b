import type { Membership, Peer } from '../membership.js';
import { rankOf } from './rendezvous.js';

/** The other live processes that take a topic's cards, as far as this one knows. */
export class Rivals {
  private view: readonly Peer[] = [];
  private others: readonly string[] = [];

  constructor(
    private readonly membership: Membership,
    private readonly topic: string,
    private readonly instanceId: string,
  ) {}

  /** How many of them come before this process for a card: 0 takes it at once. */
  rank(cardId: string): number {
    const peers = this.membership.all();
    if (peers !== this.view) {
      this.view = peers;
      this.others = peers
        .filter(({ instanceId, cards }) => instanceId !== this.instanceId && cards.includes(this.topic))
        .map(({ instanceId }) => instanceId);
    }
    return rankOf(cardId, this.instanceId, this.others);
  }
}
