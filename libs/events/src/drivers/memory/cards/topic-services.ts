/** How long a topic stays with a service that is gone, ms. */
const KEPT = 60 * 60_000;

interface Consumption {
  readonly service: string;
  /** Processes that consume it now. */
  live: number;
  /** When the last of them ended, ms. */
  seen: number;
}

/** Which service consumes which topic: one each. */
export class TopicServices {
  private readonly topics = new Map<string, Consumption>();

  /** Records the service. Gives another one that has the topic; nothing is recorded then. */
  enter(topic: string, service: string, now: number): string | undefined {
    const current = this.topics.get(topic);
    if (current?.service === service) current.live++;
    else if (current !== undefined && (current.live > 0 || now - current.seen < KEPT)) return current.service;
    else this.topics.set(topic, { service, live: 1, seen: now });
    return undefined;
  }

  /** One of the service's processes has ended. */
  leave(topic: string, now: number): void {
    const current = this.topics.get(topic);
    if (current === undefined) return;
    current.live--;
    current.seen = now;
  }
}
