import { EventsError } from './errors.js';

/** `settle` was asked for and handlers failed. `failures` has one row a failed handler. */
export class HandlersFailedError extends EventsError {
  readonly failures: readonly { readonly handler: string; readonly error: unknown }[];

  constructor(type: string, id: string, failures: readonly { handler: string; error: unknown }[]) {
    super(
      'HANDLERS_FAILED',
      `'${type}' (${id}) is stored, but ${String(failures.length)} handler(s) failed: ${failures.map((failure) => failure.handler).join(', ')}.`,
      { cause: failures[0]?.error },
    );
    this.failures = failures;
  }
}

/** Some events of `publishMany` were not stored. `results` has, in order, each event's receipt or error. */
export class PublishManyError<Receipt = unknown> extends EventsError {
  readonly results: readonly ({ readonly receipt: Receipt } | { readonly error: Error })[];

  constructor(results: readonly ({ receipt: Receipt } | { error: Error })[]) {
    const errors = results.flatMap((result) => ('error' in result ? [result.error] : []));
    super(
      'PUBLISH_MANY',
      `${String(errors.length)} of ${String(results.length)} events were not stored; results tells which. First: ${errors[0]?.message ?? ''}`,
      { cause: errors[0] },
    );
    this.results = results;
  }
}
