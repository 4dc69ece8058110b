import type { Clock } from '../core/clock.js';
import { parseDuration } from '../core/duration.js';
import type { Reply } from '../core/delivery.js';
import type { EventEnvelope } from '../core/envelope.js';
import { InvalidOptionError, RemoteHandlerError, WaitAbortedError, RequestTimeoutError } from '../core/errors.js';
import { decodePayload } from '../core/payload.js';
import type { EventDriver } from '../ports/driver.js';
import type { RequestOptions } from './publish-options.js';

/** How long a caller waits where it does not say. */
export const REQUEST_TIMEOUT = 30_000;

/** A handler of this process that answers requests. */
export interface LocalAnswer {
  /** The reply, as it would travel; `cause` is what the handler threw. Undefined when no handler here wants the request. */
  readonly reply: Promise<{ readonly reply: Reply; readonly cause?: unknown } | undefined>;
  abort(reason: Error): void;
}

export interface LocalAnswerers {
  /** Begins to answer in this process; undefined when no handler here answers the type. */
  answer(event: EventEnvelope): LocalAnswer | undefined;
}

/** The asking half of request-response: this process's own handlers first, then another live process's. */
export class RequestClient {
  constructor(
    private readonly driver: EventDriver,
    private readonly local: LocalAnswerers,
    private readonly clock: Clock,
  ) {}

  /**
   * @throws NoHandlerError, RequestTimeoutError, WaitAbortedError, RemoteHandlerError, ResponderLostError
   */
  async request(event: EventEnvelope, options: RequestOptions = {}): Promise<unknown> {
    const timeout = options.timeout === undefined ? REQUEST_TIMEOUT : parseDuration(options.timeout);
    if (timeout <= 0) throw new InvalidOptionError('timeout', options.timeout, 'a duration above 0');
    const { signal } = options;
    if (signal?.aborted === true) throw new WaitAbortedError(`the reply to '${event.type}'`, signal.reason);
    const began = this.clock.now();
    const answer = this.local.answer(event);
    const answered = answer === undefined ? undefined : await this.inTime(event, answer, timeout, signal);
    if (answered !== undefined) return valueOf(event, answered.reply, answered.cause);
    const remaining = Math.max(1, timeout - (this.clock.now() - began));
    return valueOf(event, await this.driver.request(event, remaining, signal));
  }

  private inTime(
    event: EventEnvelope,
    answer: LocalAnswer,
    timeout: number,
    signal: AbortSignal | undefined,
  ): LocalAnswer['reply'] {
    return new Promise((resolve, reject) => {
      const give = (error: Error): void => {
        end();
        answer.abort(error);
        reject(error);
      };
      const onAbort = (): void => {
        give(new WaitAbortedError(`the reply to '${event.type}'`, signal?.reason));
      };
      const timer = this.clock.after(
        timeout,
        () => {
          give(new RequestTimeoutError(event.type, timeout));
        },
        'awaited',
      );
      const end = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      void answer.reply.then((answered) => {
        end();
        resolve(answered);
      });
    });
  }
}

function valueOf(event: EventEnvelope, reply: Reply, cause?: unknown): unknown {
  if (!reply.ok) throw new RemoteHandlerError(event.type, reply.error, cause);
  return reply.text === undefined ? undefined : decodePayload(reply.text);
}
