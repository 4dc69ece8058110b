import type { Clock } from '../core/clock.js';
import { EventEnvelope, NO_HEADERS, type EventHeaders, type EventMode } from '../core/envelope.js';
import { EventLoopError, InvalidOptionError } from '../core/errors.js';
import { IdGenerator } from '../core/id.js';
import { encodePayload } from '../core/payload.js';
import type { ScopeStorage } from '../core/scope.js';
import type { PublishOptions } from './publish-options.js';

/** Events may cause events this many times before it is taken for a loop. */
export const MAX_HOPS = 32;

const ID = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;
const HEADER_NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const MAX_HEADERS = 64;
const MAX_HEADER_CHARS = 8_192;

export interface EnvelopeFactoryOptions {
  readonly service: string;
  readonly instanceId: string;
  readonly maxPayload: number;
  /** Hand payloads over by reference. */
  readonly share: boolean;
  readonly clock: Clock;
  readonly scope: ScopeStorage;
  /** Events went round in a circle. */
  readonly loop: (error: EventLoopError) => void;
}

/** Makes the envelope of what this process publishes: id, source, and the chain that it belongs to. */
export class EnvelopeFactory {
  private readonly ids = new IdGenerator();

  constructor(private readonly options: EnvelopeFactoryOptions) {}

  /**
   * @throws EventSerializationError, PayloadTooLargeError, EventLoopError, InvalidOptionError
   */
  make(type: string, version: number, payload: unknown, mode: EventMode, publish?: PublishOptions): EventEnvelope {
    const { share, maxPayload, service, instanceId, clock, scope } = this.options;
    const cause = scope.getStore()?.event;
    const hops = cause === undefined ? 0 : cause.hops + 1;
    if (hops > MAX_HOPS) {
      const error = new EventLoopError(type, hops, cause?.correlationId ?? '');
      this.options.loop(error);
      throw error;
    }
    const envelope = new EventEnvelope({
      type,
      version,
      mode,
      hops,
      time: clock.now(),
      sourceInstance: instanceId,
      source: publish?.source === undefined ? service : checkText('source', publish.source),
      id: publish?.id === undefined ? undefined : checkText('id', publish.id),
      target: publish?.target,
      correlationId:
        publish?.correlationId === undefined ? cause?.correlationId : checkText('correlationId', publish.correlationId),
      causationId: cause?.id,
      traceparent: cause?.traceparent,
      headers: publish?.headers === undefined ? NO_HEADERS : checkHeaders(publish.headers),
      text: share ? undefined : encodePayload(type, payload, maxPayload),
    });
    if (share) envelope.share(payload);
    return publish?.id === undefined ? envelope.drawId(this.ids) : envelope;
  }

  /**
   * The envelope of an event that the library itself gives. The hop limit does not stop it, for it may have to tell of
   * just that; undefined where handlers of such events go round in a circle.
   */
  notice(type: string, payload: unknown): EventEnvelope | undefined {
    const { service, instanceId, clock, scope } = this.options;
    const cause = scope.getStore()?.event;
    if (cause !== undefined && cause.hops >= MAX_HOPS && cause.type.startsWith(SYSTEM)) return undefined;
    return new EventEnvelope({
      type,
      mode: 'broadcast',
      hops: Math.min((cause?.hops ?? -1) + 1, MAX_HOPS),
      time: clock.now(),
      source: service,
      sourceInstance: instanceId,
      correlationId: cause?.correlationId,
      causationId: cause?.id,
      text: encodePayload(type, payload, Number.MAX_SAFE_INTEGER),
    }).drawId(this.ids);
  }
}

/** Events of the library itself begin so. */
const SYSTEM = 'system.';

function checkText(option: string, value: unknown): string {
  if (typeof value === 'string' && ID.test(value)) return value;
  throw new InvalidOptionError(option, value, '1 to 128 visible ASCII characters other than " and \\');
}

/** Copied and checked, so that no value of another type travels. */
function checkHeaders(headers: Readonly<Record<string, string>>): EventHeaders {
  if (typeof headers !== 'object' || (headers as unknown) === null || Array.isArray(headers))
    throw new InvalidOptionError('headers', headers, 'an object of strings');
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS)
    throw new InvalidOptionError('headers', `${String(entries.length)} headers`, `at most ${String(MAX_HEADERS)}`);
  let size = 0;
  const copy: Record<string, string> = {};
  for (const [name, value] of entries) {
    if (!HEADER_NAME.test(name) || name === '__proto__')
      throw new InvalidOptionError('headers', name, 'names of [A-Za-z0-9_.-], at most 64 characters');
    if (typeof value !== 'string') throw new InvalidOptionError(`headers.${name}`, value, 'a string');
    size += name.length + value.length;
    copy[name] = value;
  }
  if (size > MAX_HEADER_CHARS)
    throw new InvalidOptionError(
      'headers',
      `${String(size)} characters`,
      `at most ${String(MAX_HEADER_CHARS)} together`,
    );
  return Object.freeze(copy);
}
