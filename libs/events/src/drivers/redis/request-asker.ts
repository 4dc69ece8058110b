import type { Reply } from '../../core/delivery.js';
import type { EventEnvelope } from '../../core/envelope.js';
import {
  BackendUnavailableError,
  BusClosedError,
  NoHandlerError,
  RequestTimeoutError,
  ResponderLostError,
  WaitAbortedError,
} from '../../core/errors.js';
import { packAttributes } from './codec.js';
import type { Frame } from './frames.js';
import type { Mailer } from './mailer.js';
import type { RedisHost } from './redis-host.js';

/** Before all candidates that were full are asked again, ms: doubled each time, up to the most. */
const FULL_WAIT = 1;
const FULL_WAIT_MAX = 20;

interface Question {
  readonly event: EventEnvelope;
  readonly deadline: number;
  /** Candidates that have refused or were not there. */
  readonly tried: Set<string>;
  /** Candidates whose channel nobody read. */
  readonly absent: Set<string>;
  /** Candidates whose handlers do not want it. */
  readonly declined: Set<string>;
  body: string;
  /** Before they are all asked again, ms. */
  wait: number;
  /** Who has it now. */
  candidate: string;
  end(act: (resolve: (reply: Reply) => void, reject: (error: Error) => void) => void): void;
}

/** The asking side of request-response: one candidate after the other, until one takes it. */
export class RequestAsker {
  private readonly open = new Map<string, Question>();
  private counter = 0;
  private turn = 0;

  constructor(
    private readonly host: RedisHost,
    private readonly mailer: Mailer,
  ) {}

  ask(event: EventEnvelope, timeout: number, signal: AbortSignal | undefined): Promise<Reply> {
    const { clock } = this.host;
    const id = `${this.host.instanceId}.${String(this.counter++)}`;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        question.end((_, no) => {
          no(new WaitAbortedError(`the reply to '${event.type}'`, signal?.reason));
        });
      };
      const question: Question = {
        event,
        deadline: clock.now() + timeout,
        tried: new Set(),
        absent: new Set(),
        declined: new Set(),
        body: event.text ?? '',
        wait: FULL_WAIT,
        candidate: '',
        end: (act) => {
          if (!this.open.delete(id)) return;
          timer.cancel();
          signal?.removeEventListener('abort', onAbort);
          act(resolve, reject);
        },
      };
      this.open.set(id, question);
      const timer = clock.after(
        timeout,
        () => {
          question.end((_, no) => {
            no(new RequestTimeoutError(event.type, timeout));
          });
        },
        'awaited',
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      void this.begin(id, question, timeout);
    });
  }

  /** A reply came. Late ones find nobody. */
  async answered({ header, body }: Frame): Promise<void> {
    const [id, status] = JSON.parse(header) as [string, string];
    const question = this.open.get(id);
    if (question === undefined) return;
    if (status === 'refused' || status === 'declined') {
      if (status === 'declined') question.declined.add(question.candidate);
      this.next(id, question);
      return;
    }
    const text = status === 'lost' ? undefined : await this.mailer.fetch(body);
    if (text === undefined)
      question.end((_, no) => {
        no(new ResponderLostError(question.event.type, question.candidate));
      });
    else if (status === 'ok')
      question.end((yes) => {
        yes({ ok: true, text: text === '' ? undefined : text });
      });
    else
      question.end((yes) => {
        yes({ ok: false, error: JSON.parse(text) as { name: string; message: string } });
      });
  }

  /** Who is alive has changed: those asked who are gone will not answer. */
  membersChanged(): void {
    for (const question of this.open.values()) {
      const { candidate, event } = question;
      if (candidate !== '' && !this.host.membership.isAlive(candidate)) {
        question.end((_, no) => {
          no(new ResponderLostError(event.type, candidate));
        });
      }
    }
  }

  close(): void {
    for (const question of [...this.open.values()])
      question.end((_, no) => {
        no(new BusClosedError(this.host.bus));
      });
  }

  private async begin(id: string, question: Question, timeout: number): Promise<void> {
    try {
      question.body = await this.mailer.body(id, question.body, timeout);
      this.next(id, question);
    } catch (error) {
      this.failed(question, error);
    }
  }

  private next(id: string, question: Question): void {
    if (!this.open.has(id)) return;
    const { event, tried } = question;
    const candidates = this.candidates(question);
    const first = this.turn++ % Math.max(candidates.length, 1);
    const candidate = [...candidates.slice(first), ...candidates.slice(0, first)].find((each) => !tried.has(each));
    if (candidate === undefined) {
      void this.lookAgain(id, question);
      return;
    }
    tried.add(candidate);
    question.candidate = candidate;
    const remaining = Math.max(1, Math.floor(question.deadline - this.host.clock.now()));
    const header = JSON.stringify([id, this.host.instanceId, event.type, remaining, packAttributes(event)]);
    this.mailer.post(candidate, { kind: 'q', header, body: question.body }, (receivers, error) => {
      if (error !== undefined) this.failed(question, error);
      else if (receivers === 0) {
        question.absent.add(candidate);
        this.next(id, question);
      }
    });
  }

  /** Nobody left to ask: read again who is alive. Full ones are asked again until the time is up. */
  private async lookAgain(id: string, question: Question): Promise<void> {
    const { membership, clock, bus } = this.host;
    try {
      await membership.refresh();
    } catch (error) {
      this.failed(question, error);
      return;
    }
    if (!this.open.has(id)) return;
    const { event, tried, absent } = question;
    const candidates = this.candidates(question);
    if (candidates.some((each) => !tried.has(each))) this.next(id, question);
    else if (candidates.every((each) => absent.has(each)))
      question.end((_, no) => {
        no(new NoHandlerError(event.type, bus));
      });
    else {
      tried.clear();
      absent.clear();
      question.wait = Math.min(question.wait * 2, FULL_WAIT_MAX);
      clock.after(question.wait, () => {
        this.next(id, question);
      });
    }
  }

  private candidates({ event, declined }: Question): readonly string[] {
    const answerers = this.host.membership.answerers(event.type);
    return declined.size === 0 ? answerers : answerers.filter((each) => !declined.has(each));
  }

  private failed(question: Question, error: unknown): void {
    question.end((_, no) => {
      no(error instanceof Error ? error : new BackendUnavailableError(String(error)));
    });
  }
}
