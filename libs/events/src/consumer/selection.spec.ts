import { describe, expect, it } from '@jest/globals';
import type { HandlerDeclaration } from '../core/declaration.js';
import { ACK, VERDICT_ACK, VERDICT_RELEASE, type Delivery } from '../core/delivery.js';
import type { Gate, SourceSpec } from '../ports/driver.js';
import { declarationOf, deliveryOf, eventOf } from '../pipeline/handler.spec-kit.js';
import { TestClock } from '../testing/clock.js';
import { Intake } from './intake.js';
import { HandlerEntry, HandlerRegistry } from './registry.js';
import { payloadProblem, refused, select, unmatched } from './selection.js';

const OPEN = { closed: false, held: () => undefined };

function entryOf(fields: Partial<HandlerDeclaration>): HandlerEntry {
  return new HandlerEntry(declarationOf(fields), { step: () => ACK }, OPEN);
}

function intakeOf(spec: SourceSpec, owner?: HandlerEntry): Intake {
  return new Intake(spec, { count: 10, size: 1_000 }, { bus: 'b', dispatch: () => undefined }, owner);
}

function registryOf(...entries: HandlerEntry[]): HandlerRegistry {
  const registry = new HandlerRegistry();
  for (const entry of entries) registry.add(entry);
  return registry;
}

const one = entryOf({ name: 'one' });
const two = entryOf({ name: 'two', patterns: ['#'] });
const other = entryOf({ name: 'other', patterns: ['b'] });
const member = entryOf({ name: 'member', group: 'g' });
const second = entryOf({ name: 'second', group: 'g' });
const stranger = entryOf({ name: 'member', group: 'other' });
const answering = entryOf({ name: 'answers', answers: true, group: 'answers' });
const early = entryOf({ name: 'early', startFrom: 'earliest' });
const all = registryOf(one, two, other, member, second, stranger, answering, early);

function names(spec: SourceSpec, delivery: Partial<Delivery> = {}, registry = all, owner?: HandlerEntry): string[] {
  return select(registry, intakeOf(spec, owner), deliveryOf(delivery), eventOf()).map(
    ({ declaration: { name, group } }) => (group === undefined ? name : `${group}:${name}`),
  );
}

describe('select', () => {
  it('a broadcast event is for the ungrouped handlers of its type, in the order of their declaration', () => {
    expect(names({ kind: 'process' })).toEqual(['one', 'two']);
  });

  it('a source of its own is for its owner', () => {
    expect(names({ kind: 'process' }, {}, all, early)).toEqual(['early']);
  });

  it('an event of a group is for all handlers of the group, a retry for the one that it names', () => {
    const group = { kind: 'group', group: 'g' } as const;
    expect(names(group)).toEqual(['g:member', 'g:second']);
    expect(names(group, { handler: 'second' })).toEqual(['g:second']);
    expect(names(group, { handler: 'one' })).toEqual([]);
    expect(names({ kind: 'group', group: 'nobody' })).toEqual([]);
  });

  it('an anycast event is for one handler, each in its turn; a retry for the first of its name', () => {
    const registry = registryOf(entryOf({ name: 'x' }), entryOf({ name: 'y', group: 'g' }), entryOf({ name: 'z' }));
    const turns = [1, 2, 3, 4].map(() => names({ kind: 'anycast' }, {}, registry));
    expect(turns).toEqual([['x'], ['g:y'], ['z'], ['x']]);
    expect(names({ kind: 'anycast' }, { handler: 'member' })).toEqual(['g:member']);
    expect(names({ kind: 'anycast' }, { handler: 'nobody' })).toEqual([]);
    expect(names({ kind: 'anycast' }, {}, registryOf())).toEqual([]);
  });

  it('a unicast event is for every handler of its type', () => {
    expect(names({ kind: 'inbox' })).toHaveLength(7);
    expect(names({ kind: 'inbox' }, {}, registryOf(other))).toEqual([]);
  });

  it('a request is for one that answers', () => {
    expect(names({ kind: 'requests' })).toEqual(['answers:answers']);
    expect(names({ kind: 'requests' }, {}, registryOf(one))).toEqual([]);
  });

  it('a broadcast event is not for a handler that began to listen after it, or has had its one', () => {
    const [late, used] = [entryOf({ name: 'late' }), entryOf({ name: 'used' })];
    const registry = registryOf(one, late, used);
    late.gate = { admits: ({ attempt }) => attempt > 1, spent: false };
    used.retired = true;
    expect(names({ kind: 'process' }, {}, registry)).toEqual(['one']);
    expect(names({ kind: 'process' }, { attempt: 2 }, registry)).toEqual(['one', 'late']);
  });

  it('forgets a gate that refuses nothing any more', () => {
    const late = entryOf({ name: 'late' });
    const gate: Gate & { spent: boolean } = { admits: () => true, spent: false };
    late.gate = gate;
    const registry = registryOf(late);
    names({ kind: 'process' }, {}, registry);
    expect(late.gate).toBe(gate);
    gate.spent = true;
    names({ kind: 'process' }, {}, registry);
    expect(late.gate).toBeUndefined();
  });
});

describe('unmatched', () => {
  const clock = new TestClock();
  const now = clock.now();
  const settled = (spec: SourceSpec, delivery: Partial<Delivery> = {}): unknown =>
    unmatched(intakeOf(spec), deliveryOf(delivery), { clock, retention: 10_000 });

  it('is acknowledged where nobody else could have it', () => {
    expect(settled({ kind: 'process' })).toBe(VERDICT_ACK);
  });

  it.each<SourceSpec>([{ kind: 'group', group: 'g' }, { kind: 'anycast' }, { kind: 'requests' }])(
    'is released for others: %j',
    (spec) => {
      expect(settled(spec)).toBe(VERDICT_RELEASE);
    },
  );

  it('is a dead letter of the target of a unicast event', () => {
    expect(settled({ kind: 'inbox' }, { attempt: 2 })).toEqual({
      kind: 'ack',
      deadLetters: [{ reason: 'unhandled', error: expect.stringContaining("'a'"), attempts: 2 }],
    });
  });

  it.each([
    ['for the first time', undefined],
    ['still within retention', now - 10_000],
  ])('is offered again where others may have the handler of a retry: %s', (_, since) => {
    expect(settled({ kind: 'group', group: 'g' }, { handler: 'x', attempt: 3, failures: 1, since })).toEqual({
      kind: 'ack',
      retries: [{ handler: 'x', delay: 1_000, attempt: 3, failures: 1, since: since ?? now }],
    });
  });

  it('is a dead letter when nobody has had the handler of a retry for the retention', () => {
    const delivery = { handler: 'x', attempt: 3, failures: 2, since: now - 10_001 };
    expect(settled({ kind: 'anycast' }, delivery)).toEqual({
      kind: 'ack',
      deadLetters: [{ reason: 'unhandled', error: expect.stringContaining("'x'"), handler: 'x', attempts: 3 }],
    });
  });
});

describe('what cannot be read', () => {
  it('is refused in the name of the handler that it was addressed to', () => {
    expect(refused(deliveryOf({ attempt: 4, handler: 'x' }), 'undecodable', 'why')).toEqual({
      kind: 'ack',
      deadLetters: [{ reason: 'undecodable', error: 'why', handler: 'x', attempts: 4 }],
    });
  });

  it('is a payload that is not JSON', () => {
    expect(payloadProblem(eventOf({ text: '{' }))).toMatch(/^its payload is not JSON: ./);
    expect(payloadProblem(eventOf({ text: '{"a":1}' }))).toBeUndefined();
    expect(payloadProblem(eventOf())).toBeUndefined();
  });
});
