import { GRACE, type Connection } from './connection.js';
import { INLINE_BODY, writeFrame, type Frame } from './frames.js';
import type { Keys } from './keys.js';

/** Characters that one message holds at most, so that a tick's worth of large bodies does not become one message. */
const MAX_MESSAGE = 256 * 1024;

interface Letter {
  readonly frame: Frame;
  /** Receivers that the server counted; undefined where it cannot tell (cluster) or the message was not sent. */
  readonly sent: (receivers: number | undefined, error?: unknown) => void;
}

/** Sends frames to processes; those of one tick to one process travel in one message. */
export class Mailer {
  private readonly outgoing = new Map<string, Letter[]>();
  private scheduled = false;

  constructor(
    private readonly connection: Connection,
    private readonly keys: Keys,
  ) {}

  post(instance: string, frame: Frame, sent: Letter['sent'] = () => undefined): void {
    const letters = this.outgoing.get(instance);
    if (letters === undefined) this.outgoing.set(instance, [{ frame, sent }]);
    else letters.push({ frame, sent });
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      const outgoing = [...this.outgoing];
      this.outgoing.clear();
      for (const [to, batch] of outgoing) this.send(to, batch);
    });
  }

  /** Puts a large body under a key with an expiry, and returns what to send in its place. */
  async body(id: string, text: string, expiry: number): Promise<string> {
    if (text.length <= INLINE_BODY) return text;
    const key = this.keys.body(id);
    await this.connection.persist((client) => client.set(key, text, 'PX', Math.max(1, Math.ceil(expiry))), GRACE);
    return `@${key}`;
  }

  /** Reads a body that was stored under a key; undefined when it has expired. */
  async fetch(body: string): Promise<string | undefined> {
    if (!body.startsWith('@')) return body;
    const key = body.slice(1);
    if (!key.startsWith(`${this.keys.prefix}{b:`)) return undefined;
    return (await this.connection.persist((client) => client.get(key), GRACE)) ?? undefined;
  }

  private send(instance: string, letters: readonly Letter[]): void {
    for (let start = 0; start < letters.length;) {
      let message = '';
      let end = start;
      for (; end < letters.length && (end === start || message.length < MAX_MESSAGE); end++) {
        const letter = letters[end];
        if (letter !== undefined) message += writeFrame(letter.frame);
      }
      const batch = letters.slice(start, end);
      start = end;
      this.connection
        .run((client) => client.publish(this.keys.to(instance), message))
        .then(
          (receivers) => {
            for (const { sent } of batch) sent(this.connection.cluster ? undefined : receivers);
          },
          (error: unknown) => {
            for (const { sent } of batch) sent(undefined, error);
          },
        );
    }
  }
}
