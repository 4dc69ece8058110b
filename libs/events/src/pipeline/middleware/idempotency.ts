import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.js';
import type { HandlerDeclaration, Idempotence } from '../../core/declaration.js';
import { ACK, RELEASE, type Settlement } from '../../core/delivery.js';
import type { EventMode } from '../../core/envelope.js';
import {
  EventsError,
  InvalidOptionError,
  RequestTimeoutError,
  UnsupportedError,
  WaitAbortedError,
} from '../../core/errors.js';
import { messageOf } from '../../core/message-of.js';
import { decodePayload, encodePayload } from '../../core/payload.js';
import type { Claim } from '../../ports/stores.js';
import type { Claims } from '../claims.js';
import { isPromise, whenSettled, type Middleware, type Outcome, type Step } from '../compose.js';
import type { HandlerJob } from '../job.js';

/** Characters of a handler's own key, and of a key in the store. */
const MAX_KEY = 512;
/** Bytes of a reply that is kept for those who ask again. */
const MAX_OUTCOME = 64 * 1024;
/** The outcome of a request whose reply has no text, as opposed to none. */
const NO_TEXT = '';
const NO_PLACE: readonly string[] = [];
/** Before an event comes again that somebody else is handling, ms. */
const COME_AGAIN = 1_000;
/** Between two looks at what somebody else is doing for the same request: at first, and at most, ms. */
const FIRST_LOOK = 50;
const LONGEST_LOOK = 500;

export interface IdempotencyOptions {
  readonly claims: Claims;
  readonly clock: Clock;
  readonly bus: string;
  readonly instanceId: string;
  readonly declaration: Pick<HandlerDeclaration, 'name' | 'group'>;
  readonly idempotent: Idempotence;
}

/**
 * Runs the handler once a key: claims it, and commits when the handler has succeeded, before the settlement is known, or
 * gives the claim up when it has failed. What was done is acknowledged without the handler, and a request that was
 * answered gets the same reply. Where somebody else is at it, an event comes again later, uncounted; a request waits.
 */
export function idempotency(options: IdempotencyOptions): Middleware {
  const { claims, idempotent } = options;
  const keyOf = keysOf(options);
  return (job, next) => {
    const key = keyOf(job);
    const held: Held = { claims, key, ttl: idempotent.ttl };
    const claim = job.event.mode === 'request' ? claimInTurn(options, job, key) : claims.claim(key);
    return isPromise(claim) ? claim.then((made) => enter(job, next, held, made)) : enter(job, next, held, claim);
  };
}

interface Held {
  readonly claims: Claims;
  readonly key: string;
  /** ms */
  readonly ttl: number;
}

function enter(job: HandlerJob, next: Step, held: Held, claim: Claim): Outcome | Promise<Outcome> {
  if (claim.state === 'busy') return comeAgain(job);
  if (claim.state === 'done') {
    if (job.event.mode === 'request') job.result = replyIn(job, claim.outcome);
    return ACK;
  }
  // Given up while it waited for the claim: others have it already.
  return job.isAborted ? giveUp(held, RELEASE) : run(job, next, held);
}

function run(job: HandlerJob, next: Step, held: Held): Outcome | Promise<Outcome> {
  const settle = (settlement: Settlement): Settlement | Promise<Settlement> =>
    settlement.kind === 'ack' ? commit(job, held, settlement) : giveUp(held, settlement);
  let outcome: Outcome | Promise<Outcome>;
  try {
    outcome = next(job);
  } catch (error) {
    return thrown(held, error);
  }
  return isPromise(outcome)
    ? outcome.then(
        (value) => whenSettled(value, settle),
        (error: unknown) => thrown(held, error),
      )
    : whenSettled(outcome, settle);
}

function commit(job: HandlerJob, { claims, key, ttl }: Held, settlement: Settlement): Settlement | Promise<Settlement> {
  const noted = claims.commit(key, outcomeOf(job), ttl);
  if (!isPromise(noted)) return settlement;
  return noted.then(
    () => settlement,
    (error: unknown) => {
      // The work is done. To call it a failure would do it again for certain; without the mark it is only possible.
      job.logger.error(
        `Handler ${job.context.handler} has handled '${job.event.type}' (${job.event.id}), but that could not be noted, so a repeated one will run again: ${messageOf(error)}`,
      );
      return settlement;
    },
  );
}

function giveUp<T>({ claims, key }: Held, value: T): T | Promise<T> {
  const given = claims.abort(key);
  return isPromise(given) ? given.then(() => value) : value;
}

function thrown(held: Held, error: unknown): Promise<never> {
  return Promise.resolve(giveUp(held, undefined)).then(() => {
    throw error;
  });
}

function comeAgain({ event, context }: HandlerJob): Settlement {
  const error = new EventsError(
    'ABORTED',
    `Handler ${context.handler} did not run on '${event.type}' (${event.id}): another run with the same idempotency key had not ended.`,
  );
  return { kind: 'retry', delay: COME_AGAIN, counted: false, error };
}

/** Claims for a request, whose caller waits: nobody would bring it again, so it waits here until the other run has ended. */
async function claimInTurn(
  { claims, clock }: IdempotencyOptions,
  { event, context, delivery }: HandlerJob,
  key: string,
): Promise<Claim> {
  const { remaining = Infinity } = delivery;
  const end = clock.now() + remaining;
  for (let look = FIRST_LOOK; ; look = Math.min(look * 2, LONGEST_LOOK)) {
    const claim = await claims.claim(key);
    if (claim.state !== 'busy') return claim;
    const { signal } = context;
    if (!signal.aborted) await pause(clock, Math.min(look, end - clock.now()), signal);
    if (signal.aborted)
      throw new WaitAbortedError(
        `the run of handler ${context.handler} on an earlier '${event.type}' with the same idempotency key`,
        signal.reason,
      );
    if (clock.now() >= end) throw new RequestTimeoutError(event.type, remaining);
  }
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.after(ms, end, 'awaited');
    signal.addEventListener('abort', end, { once: true });
  });
}

/** What is kept of a request's run; nothing of an event's, and nothing where the reply is too long or no JSON. */
function outcomeOf({ event, result }: HandlerJob): string | undefined {
  if (event.mode !== 'request') return undefined;
  try {
    return encodePayload(event.type, result, MAX_OUTCOME) ?? NO_TEXT;
  } catch {
    return undefined;
  }
}

function replyIn({ event, context }: HandlerJob, outcome: string | undefined): unknown {
  if (outcome === undefined)
    throw new UnsupportedError(
      `Handler ${context.handler} has handled a '${event.type}' with this idempotency key, and its reply was not kept: only that of a request is, up to ${String(MAX_OUTCOME)} bytes of JSON. It is not run again.`,
    );
  return outcome === NO_TEXT ? undefined : decodePayload(outcome);
}

/** By what the store knows it: the same text for the same work, in every process that might do it. */
function keysOf({ bus, instanceId, declaration, idempotent }: IdempotencyOptions): (job: HandlerJob) => string {
  const heads = new Map<EventMode, string>();
  const headOf = (mode: EventMode): string => {
    let head = heads.get(mode);
    if (head === undefined) {
      head = JSON.stringify([bus, subscriber(mode, declaration.group, instanceId), declaration.name]).slice(0, -1);
      heads.set(mode, head);
    }
    return head;
  };
  return (job) => {
    const { event, card } = job;
    const own = idempotent.key;
    const place = card === undefined ? NO_PLACE : [card.topic, card.cardId];
    const key =
      own === undefined
        ? [...place, event.type, event.source, event.id]
        : [ownKey(own(job.payload, job.context), declaration.name)];
    // One JSON array, so that no two lists have one text, and every text is well-formed.
    const text = `${headOf(event.mode)},${JSON.stringify(key).slice(1)}`;
    return text.length <= MAX_KEY ? text : createHash('sha256').update(text).digest('hex');
  };
}

/** Whom an event is for: a group or a process. Of all who may have an anycast event or a request, one is to handle it. */
function subscriber(mode: EventMode, group: string | undefined, instanceId: string): string {
  if (mode === 'anycast' || mode === 'request') return '';
  return mode === 'unicast' || group === undefined ? `process ${instanceId}` : `group ${group}`;
}

function ownKey(key: unknown, handler: string): string {
  if (typeof key === 'string' && key.length >= 1 && key.length <= MAX_KEY) return key;
  // An async function, which TypeScript would refuse: nobody would take its rejection.
  if (isPromise(key)) Promise.resolve(key).catch(() => undefined);
  throw new InvalidOptionError(
    `idempotent.key of handler ${handler}`,
    key,
    `a text of 1 to ${String(MAX_KEY)} characters`,
  );
}
