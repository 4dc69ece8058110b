import type { Clock } from '../../core/clock.js';
import { VERDICT_LOST, type Delivery, type Reply, type Verdict } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import { NoHandlerError, RequestTimeoutError, ResponderLostError, WaitAbortedError } from '../../core/errors.js';
import { matches } from '../../core/pattern.js';
import type { Sink, Source } from '../../ports/driver.js';

/** Before all candidates that were full are asked again, ms. */
const FULL_WAIT = 10;

/** The driver, as its requests know it. */
export interface RequestsHost {
  readonly bus: string;
  readonly instanceId: string;
  readonly clock: Clock;
  /** The requests of all drivers of the broker. */
  peers(): Iterable<MemoryRequests>;
}

/** Request-response between drivers of one broker. */
export class MemoryRequests {
  private readonly listening = new Set<string>();
  private readonly pending = new Map<Delivery, (verdict: Verdict) => void>();
  private sink: Sink | undefined;
  private paused = false;
  private turn = 0;

  constructor(private readonly driver: RequestsHost) {}

  patterns(): string[] {
    return [...this.listening];
  }

  /** The answering side. */
  answerWith(sink: Sink): Source {
    this.sink = sink;
    const pause = (): Promise<void> => {
      this.paused = true;
      return Promise.resolve();
    };
    return {
      listen: (pattern) => {
        this.listening.add(pattern);
        return Promise.resolve(undefined);
      },
      unlisten: (pattern) => {
        this.listening.delete(pattern);
        return Promise.resolve();
      },
      pull: () => undefined,
      settle: (delivery, verdict) => {
        const settle = this.pending.get(delivery);
        this.pending.delete(delivery);
        settle?.(verdict);
      },
      alone: () => Promise.resolve(0),
      pause,
      close: pause,
    };
  }

  close(): void {
    this.paused = true;
    for (const settle of this.pending.values()) settle(VERDICT_LOST);
    this.pending.clear();
  }

  /** The asking side: one candidate after the other, until one takes it. */
  ask(event: EventEnvelope, timeout: number, signal: AbortSignal | undefined): Promise<Reply> {
    const { clock, bus } = this.driver;
    return new Promise((resolve, reject) => {
      const deadline = clock.now() + timeout;
      const tried = new Set<MemoryRequests>();
      const declined = new Set<MemoryRequests>();
      let ended = false;
      const end = (act: () => void): void => {
        if (ended) return;
        ended = true;
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const onAbort = (): void => {
        end(() => {
          reject(new WaitAbortedError(`the reply to '${event.type}'`, signal?.reason));
        });
      };
      const timer = clock.after(
        timeout,
        () => {
          end(() => {
            reject(new RequestTimeoutError(event.type, timeout));
          });
        },
        'awaited',
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      const next = (): void => {
        if (ended) return;
        const candidates = this.candidates(event.type).filter((each) => !declined.has(each));
        if (candidates.length === 0) {
          end(() => {
            reject(new NoHandlerError(event.type, bus));
          });
          return;
        }
        const candidate = candidates.find((each) => !tried.has(each));
        if (candidate === undefined) {
          tried.clear();
          clock.after(FULL_WAIT, next);
          return;
        }
        tried.add(candidate);
        candidate.take(event, deadline - clock.now(), (verdict) => {
          if (verdict.kind === 'lost')
            end(() => {
              reject(new ResponderLostError(event.type, candidate.driver.instanceId));
            });
          else if (verdict.kind === 'reply')
            end(() => {
              resolve(verdict.reply);
            });
          else {
            if (verdict.kind === 'declined') declined.add(candidate);
            next();
          }
        });
      };
      queueMicrotask(next);
    });
  }

  private candidates(type: string): MemoryRequests[] {
    const all = [...this.driver.peers()].filter((each) => each !== this && each.answers(type));
    const first = this.turn++ % Math.max(all.length, 1);
    return [...all.slice(first), ...all.slice(0, first)];
  }

  private answers(type: string): boolean {
    return !this.paused && this.sink !== undefined && this.patterns().some((pattern) => matches(pattern, type));
  }

  private take(event: EventEnvelope, remaining: number, settle: (verdict: Verdict) => void): void {
    if (this.sink === undefined || this.sink.room() <= 0) {
      queueMicrotask(() => {
        settle({ kind: 'release' });
      });
      return;
    }
    const { type } = event;
    const delivery: Delivery = { event, type, attempt: 1, redelivered: false, failures: 0, crashes: 0, remaining };
    this.pending.set(delivery, settle);
    this.sink.deliver(delivery);
  }
}
