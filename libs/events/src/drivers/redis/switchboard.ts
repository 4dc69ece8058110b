import type { OpenCards } from './cards/open-cards.js';
import { readFrames } from './frames.js';
import type { RedisHost } from './redis-host.js';
import type { RequestAsker } from './request-asker.js';
import type { Sources } from './sources.js';

/** Hands messages of the subscriber connection to whom they are for. */
export class Switchboard {
  constructor(
    private readonly host: RedisHost,
    private readonly sources: Sources,
    private readonly asker: RequestAsker,
    private readonly cards: OpenCards,
  ) {}

  heard(channel: string, message: string): void {
    const { keys } = this.host;
    const wake = keys.wake('');
    if (channel === keys.news) this.news(message);
    else if (channel.startsWith(wake)) this.sources.woken(channel.slice(wake.length), message);
    else if (!this.cards.heard(channel, message)) this.mail(message);
  }

  private news(message: string): void {
    const { types, membership } = this.host;
    const space = message.indexOf(' ');
    const kind = message.slice(0, space);
    if (kind === 'type') types.heard(message.slice(space + 1));
    if (kind === 'member') {
      membership.refresh().then(
        () => {
          this.asker.membersChanged();
        },
        () => undefined, // The next beat reads it again.
      );
    }
  }

  private mail(message: string): void {
    const { readFailed } = this.host;
    for (const frame of readFrames(message)) {
      if (frame.kind === 'i') this.sources.mailed();
      const handled =
        frame.kind === 'r'
          ? this.asker.answered(frame)
          : frame.kind === 'q'
            ? this.sources.requests?.asked(frame)
            : undefined;
      handled?.catch((error: unknown) => {
        readFailed(frame.kind === 'q' ? 'a request' : 'a reply', error);
      });
    }
  }
}
