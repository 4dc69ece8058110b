import { describe, expect, it } from '@jest/globals';
import { ACK, RELEASE, VERDICT_ACK, VERDICT_RELEASE, type Delivery, type Settlement } from '../core/delivery.js';
import { declarationOf, deliveryOf } from '../pipeline/handler.spec-kit.js';
import type { SourceSpec } from '../ports/driver.js';
import { Bag } from './bag.js';
import { HandlerEntry } from './registry.js';
import { deadLetterRow, Tracker, type Attempt } from './tracker.js';

const GROUP: SourceSpec = { kind: 'group', group: 'g' };
const boom = new Error('boom');
const retry: Settlement = { kind: 'retry', delay: 500, counted: true, error: boom };
const busy: Settlement = { kind: 'retry', delay: 700, counted: false, error: undefined };
const letter: Settlement = { kind: 'dead-letter', reason: 'rejected', error: boom };
/** A delivery of that its second attempt failed once and crashed once. */
const THIRD = { attempt: 3, failures: 1 };

interface Fixture {
  readonly tracker: Tracker;
  readonly attempts: Attempt[];
}

/** A delivery with as many handlers as there are names. */
function trackerOf(names: string, spec: SourceSpec = GROUP, delivery: Partial<Delivery> = {}): Fixture {
  const gate = { closed: false, held: () => undefined };
  const entries = names
    .split(' ')
    .map((name) => new HandlerEntry(declarationOf({ name, group: 'g' }), { step: () => ACK }, gate));
  const home = { spec, source: undefined, inFlight: new Bag<Tracker>(), leave: () => undefined };
  const given = deliveryOf(delivery);
  const tracker = new Tracker(given, () => undefined, home);
  tracker.entries = entries;
  const { attempt, failures } = given;
  return { tracker, attempts: entries.map((entry) => ({ entry, attempt, failures })) };
}

/** The verdict of handlers that settle like this, in order. */
function verdictOf(settlements: Settlement[], spec?: SourceSpec, delivery?: Partial<Delivery>): unknown {
  const { tracker, attempts } = trackerOf(settlements.map((_, index) => `h${String(index)}`).join(' '), spec, delivery);
  for (const [index, settlement] of settlements.entries()) tracker.take(attempts[index]!, settlement);
  return tracker.verdict();
}

describe('the verdict', () => {
  it('is the plain acknowledgement when all succeeded: the one that costs nothing', () => {
    expect(verdictOf([ACK])).toBe(VERDICT_ACK);
    expect(verdictOf([ACK, ACK])).toBe(VERDICT_ACK);
  });

  it('is the release when none of them handled it', () => {
    expect(verdictOf([RELEASE])).toBe(VERDICT_RELEASE);
    expect(verdictOf([RELEASE, RELEASE])).toBe(VERDICT_RELEASE);
  });

  it('hands the event over again to those alone that did not handle it, uncounted and at once', () => {
    expect(verdictOf([ACK, RELEASE, RELEASE], GROUP, THIRD)).toEqual({
      kind: 'ack',
      retries: [
        { handler: 'h1', delay: 0, attempt: 3, failures: 1 },
        { handler: 'h2', delay: 0, attempt: 3, failures: 1 },
      ],
    });
  });

  it('has a row for the next attempt of each that failed, one more counted', () => {
    expect(verdictOf([retry, ACK, retry], GROUP, THIRD)).toEqual({
      kind: 'ack',
      retries: [
        { handler: 'h0', delay: 500, attempt: 4, failures: 2 },
        { handler: 'h2', delay: 500, attempt: 4, failures: 2 },
      ],
    });
  });

  it('does not count an attempt whose turn it was not', () => {
    expect(verdictOf([busy], GROUP, THIRD)).toEqual({
      kind: 'ack',
      retries: [{ handler: 'h0', delay: 700, attempt: 3, failures: 1 }],
    });
  });

  it('has a dead letter for each that has none left, with its own attempts', () => {
    expect(verdictOf([letter, ACK], GROUP, THIRD)).toEqual({
      kind: 'ack',
      deadLetters: [{ handler: 'h0', reason: 'rejected', attempts: 3, error: 'boom', stack: boom.stack }],
    });
  });

  it('has all kinds of rows together', () => {
    expect(verdictOf([letter, retry, RELEASE, ACK])).toMatchObject({
      kind: 'ack',
      deadLetters: [{ handler: 'h0' }],
      retries: [
        { handler: 'h1', delay: 500 },
        { handler: 'h2', delay: 0 },
      ],
    });
  });

  it('leaves an anycast event to any handler, but one that is addressed to its own', () => {
    const row = { delay: 500, attempt: 2, failures: 1 };
    expect(verdictOf([retry], { kind: 'anycast' })).toMatchObject({ retries: [{ ...row, handler: undefined }] });
    expect(verdictOf([retry], { kind: 'anycast' }, { handler: 'h0' })).toMatchObject({
      retries: [{ ...row, handler: 'h0' }],
    });
  });
});

describe('the failures that a waiting publisher is told', () => {
  it('are those that count', () => {
    const { tracker, attempts } = trackerOf('acks fails waits dies');
    for (const [index, settlement] of [ACK, retry, busy, letter].entries()) tracker.take(attempts[index]!, settlement);
    expect(tracker.failed).toEqual([
      { handler: 'fails', error: boom },
      { handler: 'dies', error: boom },
    ]);
  });

  it('are absent where nothing failed', () => {
    const { tracker, attempts } = trackerOf('acks leaves');
    tracker.take(attempts[0]!, ACK);
    tracker.take(attempts[1]!, RELEASE);
    expect(tracker.failed).toBeUndefined();
  });
});

describe('a delivery that is given up early', () => {
  it('is released whole when none of its handlers has settled', () => {
    expect(trackerOf('one two').tracker.verdictOfRelease()).toBe(VERDICT_RELEASE);
    expect(trackerOf('one').tracker.verdictOfRelease()).toBe(VERDICT_RELEASE);
  });

  it('is handed over again for those that have not settled, with what the others left', () => {
    const { tracker, attempts } = trackerOf('acks fails dies runs waits', GROUP, THIRD);
    for (const [index, settlement] of [ACK, retry, letter].entries()) tracker.take(attempts[index]!, settlement);
    expect(tracker.verdictOfRelease()).toMatchObject({
      kind: 'ack',
      deadLetters: [{ handler: 'dies' }],
      retries: [
        { handler: 'fails', delay: 500, attempt: 4, failures: 2 },
        { handler: 'runs', delay: 0, attempt: 3, failures: 1 },
        { handler: 'waits', delay: 0, attempt: 3, failures: 1 },
      ],
    });
  });

  it('is released whole when those that have settled have not handled it either', () => {
    const { tracker, attempts } = trackerOf('leaves runs');
    tracker.take(attempts[0]!, RELEASE);
    expect(tracker.verdictOfRelease()).toBe(VERDICT_RELEASE);
  });

  it.each(['process', 'inbox'] as const)(
    'is released whole for %s, whose retries the backend does not keep',
    (kind) => {
      const { tracker, attempts } = trackerOf('acks runs', { kind });
      tracker.take(attempts[0]!, ACK);
      expect(tracker.verdictOfRelease()).toBe(VERDICT_RELEASE);
    },
  );
});

describe('giving up', () => {
  it('is told to all who asked, once, and to those who ask later at once', () => {
    const { tracker } = trackerOf('one');
    const told: string[] = [];
    tracker.onAbort(({ message }) => told.push(`first ${message}`));
    tracker.onAbort(({ message }) => told.push(`second ${message}`));
    tracker.abort(boom);
    tracker.onAbort(({ message }) => told.push(`late ${message}`));
    expect(told).toEqual(['first boom', 'second boom', 'late boom']);
  });
});

describe('deadLetterRow', () => {
  it('is bounded', () => {
    const error = new Error('x'.repeat(5_000));
    error.stack = 'y'.repeat(50_000);
    const row = deadLetterRow('h', { kind: 'dead-letter', reason: 'handler-failed', error }, 2);
    expect([row.error.length, row.stack?.length]).toEqual([1_024, 8_192]);
  });

  it.each<[string, unknown, string]>([
    ['text', 'no', 'no'],
    ['a number', 5, '5'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['an object that cannot be text', Object.create(null), 'an error that cannot be written'],
  ])('is made of %s, without a stack', (_, error, text) => {
    const row = deadLetterRow('h', { kind: 'dead-letter', reason: 'handler-failed', error }, 2);
    expect(row).toEqual({ handler: 'h', reason: 'handler-failed', attempts: 2, error: text, stack: undefined });
  });
});
