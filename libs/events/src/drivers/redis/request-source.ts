import type { Delivery, Verdict } from '../../core/delivery.js';
import { assertEventType } from '../../core/event-type.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { messageOf } from '../../core/message-of.js';
import type { Gate, Sink, Source } from '../../ports/driver.js';
import { readEntry } from './codec.js';
import type { Frame } from './frames.js';
import type { Mailer } from './mailer.js';
import type { RedisHost } from './redis-host.js';

class RequestDelivery implements Delivery {
  readonly attempt = 1;
  readonly redelivered = false;
  readonly failures = 0;
  readonly crashes = 0;
  readonly type: string;

  constructor(
    readonly event: EventEnvelope,
    readonly id: string,
    readonly replyTo: string,
    readonly remaining: number,
  ) {
    this.type = event.type;
  }
}

/** The answering side of request-response. What is not taken is refused at once, so that the caller asks another. */
export class RequestSource implements Source {
  readonly patterns = new Set<string>();
  private paused = false;

  constructor(
    private readonly sink: Sink,
    private readonly host: RedisHost,
    private readonly mailer: Mailer,
  ) {}

  async listen(pattern: string): Promise<Gate | undefined> {
    this.patterns.add(pattern);
    await this.host.announce();
    return undefined;
  }

  async unlisten(pattern: string): Promise<void> {
    this.patterns.delete(pattern);
    await this.host.announce();
  }

  pull(): void {
    return;
  }

  async asked({ header, body }: Frame): Promise<void> {
    const [id, replyTo, type, remaining, ce] = JSON.parse(header) as [string, string, string, number, string];
    if (this.paused || this.sink.room() <= 0) {
      this.refuse(id, replyTo);
      return;
    }
    try {
      assertEventType(type);
      const text = await this.mailer.fetch(body);
      if (text === undefined) throw new Error('the body of the request has expired');
      const event = readEntry(
        type,
        'request',
        `${String(this.host.clock.now())}-0`,
        text === '' ? ['ce', ce] : ['ce', ce, 'data', text],
      );
      this.sink.deliver(new RequestDelivery(event, id, replyTo, remaining));
    } catch (error) {
      this.mailer.post(replyTo, {
        kind: 'r',
        header: JSON.stringify([id, 'error']),
        body: JSON.stringify({ name: 'Error', message: messageOf(error) }),
      });
    }
  }

  /** Requests are not stored, so nothing is kept of them. */
  alone(): Promise<number> {
    return Promise.resolve(0);
  }

  settle(delivery: Delivery, verdict: Verdict): void | Promise<void> {
    const { id, replyTo, remaining } = delivery as RequestDelivery;
    if (verdict.kind === 'release') {
      this.refuse(id, replyTo);
      return;
    }
    if (verdict.kind === 'declined' || verdict.kind === 'lost') {
      this.mailer.post(replyTo, { kind: 'r', header: JSON.stringify([id, verdict.kind]), body: '' });
      return;
    }
    // A request that could not be read has dead letters for a verdict: its caller gets them as an error.
    const reply =
      verdict.kind === 'reply'
        ? verdict.reply
        : {
            ok: false as const,
            error: { name: 'Error', message: verdict.deadLetters?.[0]?.error ?? 'the request was not answered' },
          };
    const text = reply.ok ? (reply.text ?? '') : JSON.stringify(reply.error);
    const header = JSON.stringify([id, reply.ok ? 'ok' : 'error']);
    if (text.length <= 1_024) {
      this.mailer.post(replyTo, { kind: 'r', header, body: text });
      return;
    }
    return this.mailer.body(`${id}.r`, text, remaining).then((body) => {
      this.mailer.post(replyTo, { kind: 'r', header, body });
    });
  }

  /** Refuses from now on; the others are told as soon as there is a connection. */
  pause(): Promise<void> {
    this.paused = true;
    this.patterns.clear();
    void this.host.announce().catch(() => undefined);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.paused = true;
    this.patterns.clear();
    return Promise.resolve();
  }

  private refuse(id: string, replyTo: string): void {
    this.mailer.post(replyTo, { kind: 'r', header: JSON.stringify([id, 'refused']), body: '' });
  }
}
