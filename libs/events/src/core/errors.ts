const BRAND: unique symbol = Symbol.for('nestjs-cardinal.error') as never;

/** What went wrong, as a stable value for programs; the message is for people. */
export type EventsErrorCode =
  | 'CONFIG'
  | 'INVALID_EVENT_TYPE'
  | 'INVALID_PATTERN'
  | 'INVALID_EVENT'
  | 'INVALID_HANDLER'
  | 'INVALID_OPTION'
  | 'INVALID_CARD'
  | 'TOPIC_IN_USE'
  | 'SERIALIZATION'
  | 'PAYLOAD_TOO_LARGE'
  | 'BACKEND_UNAVAILABLE'
  | 'BACKEND'
  | 'OVERLOADED'
  | 'STREAM_FULL'
  | 'NO_HANDLER'
  | 'NO_SUCH_INSTANCE'
  | 'INSTANCE_ID_IN_USE'
  | 'REQUEST_TIMEOUT'
  | 'ABORTED'
  | 'RESPONDER_LOST'
  | 'REMOTE_HANDLER'
  | 'HANDLERS_FAILED'
  | 'PUBLISH_MANY'
  | 'EVENT_LOOP'
  | 'UNKNOWN_BUS'
  | 'BUS_CLOSED'
  | 'MISSING_DEPENDENCY'
  | 'UNSUPPORTED'
  | 'VALIDATION'
  | 'UNSUPPORTED_VERSION'
  | 'UNROUTABLE'
  | 'HANDLER_TIMEOUT'
  | 'HANDLER_CRASHED'
  | 'RETRY_LATER'
  | 'REJECT'
  | 'BATCH';

/**
 * Base of every error that the library throws. `code` is stable; `message` says what happened, to which instance or
 * type, and what to do; `cause` is the error underneath, where there is one.
 */
export class EventsError extends Error {
  readonly code: EventsErrorCode;

  constructor(code: EventsErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.name = new.target.name;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** True for an error of this library, also one from another installed copy of the package. */
export function isEventsError(error: unknown, code?: EventsErrorCode): error is EventsError {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false;
  return code === undefined || ('code' in error && error.code === code);
}

/** The configuration cannot be used. `problems` lists everything that is wrong, not only the first thing. */
export class EventsConfigError extends EventsError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const list = problems.map((problem) => `  - ${problem}`).join('\n');
    super('CONFIG', `The events configuration has ${String(problems.length)} problem(s):\n${list}`);
    this.problems = problems;
  }
}

/** An event type is empty, too long or malformed. */
export class InvalidEventTypeError extends EventsError {
  constructor(type: unknown, why: string) {
    super(
      'INVALID_EVENT_TYPE',
      `${describe(type)} is not an event type: ${why}. A type is words of [A-Za-z0-9_:-] joined by '.', at most 255 bytes, for example 'order.created'.`,
    );
  }
}

/** A pattern is empty, too long or malformed. */
export class InvalidPatternError extends EventsError {
  constructor(pattern: unknown, why: string) {
    super(
      'INVALID_PATTERN',
      `${describe(pattern)} is not a pattern: ${why}. A pattern is words of [A-Za-z0-9_:-], '*' (one word) or '#' (zero or more words; '**' is the same) joined by '.', at most 255 bytes.`,
    );
  }
}

/** What was given to `publish` is neither a type name nor an instance of an `@EventType` class. */
export class InvalidEventError extends EventsError {
  constructor(message: string) {
    super('INVALID_EVENT', message);
  }
}

/** A handler is declared in a way that would leave it deaf or ambiguous. */
export class InvalidHandlerError extends EventsError {
  constructor(message: string) {
    super('INVALID_HANDLER', message);
  }
}

/** An option of a call has a value that cannot be used. */
export class InvalidOptionError extends EventsError {
  constructor(option: string, given: unknown, accepted: string) {
    super('INVALID_OPTION', `${option}: got ${describe(given)}; accepted: ${accepted}.`);
  }
}

/** The payload cannot be written as JSON: a BigInt, a cycle, a function, or a `toJSON` that threw. */
export class EventSerializationError extends EventsError {
  constructor(type: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message.split('\n', 1)[0] : describe(cause);
    super(
      'SERIALIZATION',
      `The payload of '${type}' cannot be written as JSON: ${why ?? ''}. Publish plain JSON values; convert BigInt and break cycles first.`,
      { cause },
    );
  }
}

/** The payload is over the bus's `maxPayload`. Nothing was sent. */
export class PayloadTooLargeError extends EventsError {
  readonly size: number;
  readonly limit: number;

  constructor(type: string, size: number, limit: number) {
    super(
      'PAYLOAD_TOO_LARGE',
      `The payload of '${type}' is ${String(size)} bytes, over the limit of ${String(limit)} (option maxPayload). Store large bodies elsewhere and publish a reference.`,
    );
    this.size = size;
    this.limit = limit;
  }
}

/**
 * The backend cannot be reached. `outcome` is `'not-stored'` when nothing was sent, `'unknown'` when the connection was
 * lost after sending and did not come back in time: to publish again may store the event twice.
 */
export class BackendUnavailableError extends EventsError {
  readonly outcome: 'not-stored' | 'unknown';

  constructor(message: string, options: { outcome?: 'not-stored' | 'unknown'; cause?: unknown } = {}) {
    super('BACKEND_UNAVAILABLE', message, { cause: options.cause });
    this.outcome = options.outcome ?? 'not-stored';
  }
}

/** The backend answered with an error (out of memory, read-only replica, wrong type, …). */
export class BackendError extends EventsError {
  constructor(message: string, cause?: unknown) {
    super('BACKEND', message, { cause });
  }
}

/** The buffer of events waiting to be sent is full: slow down, or await the publishes. */
export class EventsOverloadedError extends EventsError {
  constructor(bus: string, limit: string) {
    super(
      'OVERLOADED',
      `Bus '${bus}' has ${limit} waiting to be sent and takes no more. Await publishes, or publish slower.`,
    );
  }
}

/** The stream of a type holds `maxLength` unread events and `overflow` is `'reject'`. */
export class StreamFullError extends EventsError {
  constructor(type: string, limit: number) {
    super(
      'STREAM_FULL',
      `'${type}' has ${String(limit)} events that not every subscriber has read (option maxLength), and overflow is 'reject'. Find the subscriber that lags or is gone.`,
    );
  }
}

/** No live process has a handler that may answer the request. */
export class NoHandlerError extends EventsError {
  constructor(type: string, bus: string) {
    super(
      'NO_HANDLER',
      `No live handler on bus '${bus}' answers requests of '${type}'. A handler answers when its pattern has no wildcards, or with { reply: true }.`,
    );
  }
}

/** The target of a unicast event is not alive. */
export class NoSuchInstanceError extends EventsError {
  constructor(target: string, bus: string) {
    super(
      'NO_SUCH_INSTANCE',
      `No live instance '${target}' on bus '${bus}'. Instance ids are in EventService.instanceId and context.sourceInstance.`,
    );
  }
}

/** Another live process holds this instance id. */
export class InstanceIdInUseError extends EventsError {
  constructor(instanceId: string, bus: string) {
    super(
      'INSTANCE_ID_IN_USE',
      `Instance id '${instanceId}' is held by another live process on bus '${bus}'. Give each process its own EVENT_INSTANCE_ID.`,
    );
  }
}

/** A request was not answered in time. */
export class RequestTimeoutError extends EventsError {
  constructor(type: string, timeout: number) {
    super('REQUEST_TIMEOUT', `The request '${type}' was not answered within ${String(timeout)} ms (option timeout).`);
  }
}

/** The caller's signal ended the wait. */
export class WaitAbortedError extends EventsError {
  constructor(what: string, reason: unknown) {
    super('ABORTED', `Waiting for ${what} was aborted by the caller's signal.`, { cause: reason });
  }
}

/** The process that took the request died or left before it answered. */
export class ResponderLostError extends EventsError {
  constructor(type: string, instance: string) {
    super(
      'RESPONDER_LOST',
      `Instance '${instance}' took the request '${type}' and is gone; the request may or may not have been carried out.`,
    );
  }
}

/** The handler of a request threw. `remote` tells its name, message and code; locally `cause` is the error itself. */
export class RemoteHandlerError extends EventsError {
  readonly remote: { readonly name: string; readonly message: string; readonly code?: string };

  constructor(type: string, remote: { name: string; message: string; code?: string }, cause?: unknown) {
    super('REMOTE_HANDLER', `The handler of the request '${type}' failed: ${remote.name}: ${remote.message}`, {
      cause,
    });
    this.remote = remote;
  }
}

/** Events that publish events went past the hop limit: most likely a loop. */
export class EventLoopError extends EventsError {
  constructor(type: string, hops: number, correlationId: string) {
    super(
      'EVENT_LOOP',
      `'${type}' would be hop ${String(hops)} of the chain ${correlationId}: handlers publish in a circle. Break it, or carry less through events.`,
    );
  }
}

/** No bus of this name is configured. */
export class UnknownBusError extends EventsError {
  constructor(name: string, known: readonly string[]) {
    super(
      'UNKNOWN_BUS',
      `There is no bus '${name}'. Known: ${known.join(', ')}. Name it in instances, or set EVENT_${name.toUpperCase().replaceAll('-', '_')}_BACKEND.`,
    );
  }
}

/** The bus is closed; it neither publishes nor subscribes any more. */
export class BusClosedError extends EventsError {
  constructor(bus: string) {
    super('BUS_CLOSED', `Bus '${bus}' is closed.`);
  }
}

/** An optional package that this feature needs is not installed. */
export class MissingDependencyError extends EventsError {
  constructor(dependency: string, feature: string, cause?: unknown) {
    super(
      'MISSING_DEPENDENCY',
      `${feature} needs the package '${dependency}', which is not installed. Run: npm install ${dependency}`,
      { cause },
    );
  }
}

/** What was asked is not available on this backend, or not yet. */
export class UnsupportedError extends EventsError {
  constructor(message: string) {
    super('UNSUPPORTED', message);
  }
}

/** The payload breaks the rules of its event class or schema. `issues` has one row a broken rule. */
export class EventValidationError extends EventsError {
  readonly issues: readonly ValidationIssue[];

  constructor(type: string, issues: readonly ValidationIssue[]) {
    const list = issues.slice(0, 10).map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
    super('VALIDATION', `The payload of '${type}' is not valid: ${list.join('; ')}${issues.length > 10 ? '; …' : ''}.`);
    this.issues = issues;
  }
}

/** One broken rule. */
export interface ValidationIssue {
  /** Where in the payload: `items[2].price`; empty for the payload itself. */
  readonly path: string;
  readonly message: string;
}

/** The payload has a version that this process cannot read. */
export class UnsupportedVersionError extends EventsError {
  constructor(type: string, version: number, known: number) {
    const why =
      version > known
        ? `this process knows ${String(known)}: upgrade it, then replay the dead letter`
        : `there is no @Upcast from version ${String(version)} on the way to ${String(known)}: add one, then replay the dead letter`;
    super('UNSUPPORTED_VERSION', `'${type}' came with version ${String(version)}; ${why}.`);
  }
}

/** `mandatory` was asked for and nobody listens. The event is not stored. */
export class UnroutableError extends EventsError {
  constructor(type: string, bus: string) {
    super('UNROUTABLE', `No group and no live process on bus '${bus}' listens to '${type}' (option mandatory).`);
  }
}

/** A short, bounded, quoted text of any value, for messages. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 80 ? `${value.slice(0, 80)}…` : value}'`;
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return value === undefined ? 'nothing' : `a value of type ${typeof value}`;
}
