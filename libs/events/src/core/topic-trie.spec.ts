import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { keys, patterns, slowlyMatches } from '../../../../test/support/topic-rule.js';
import { TopicTrie } from './topic-trie.js';

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);

/** A list of bindings: what the trie is, without being quick. */
class SlowTable {
  bindings: { pattern: string; value: number }[] = [];
  private order: number[] = [];

  add(pattern: string, value: number): boolean {
    if (this.has(pattern, value)) return false;
    if (!this.order.includes(value)) this.order.push(value);
    this.bindings.push({ pattern, value });
    return true;
  }

  remove(pattern: string, value: number): boolean {
    if (!this.has(pattern, value)) return false;
    this.bindings = this.bindings.filter((one) => one.pattern !== pattern || one.value !== value);
    if (!this.bindings.some((one) => one.value === value)) this.order = this.order.filter((one) => one !== value);
    return true;
  }

  match(key: string): number[] {
    return this.order.filter((value) =>
      this.bindings.some((one) => one.value === value && slowlyMatches(one.pattern, key)),
    );
  }

  private has(pattern: string, value: number): boolean {
    return this.bindings.some((one) => one.pattern === pattern && one.value === value);
  }
}

interface NodeShape {
  words: Map<string, NodeShape> | undefined;
  star: NodeShape | undefined;
  hash: NodeShape | undefined;
}

/** Nodes that a trie holds, its root included. */
function nodesOf(trie: TopicTrie<unknown>): number {
  const count = (node: NodeShape | undefined): number =>
    node
      ? [...(node.words?.values() ?? [])].reduce((sum, child) => sum + count(child), 1) +
        count(node.star) +
        count(node.hash)
      : 0;
  return count((trie as unknown as { root: NodeShape }).root);
}

function trieOf(...patterns: string[]): TopicTrie<string> {
  const trie = new TopicTrie<string>();
  for (const pattern of patterns) trie.add(pattern, pattern);
  return trie;
}

describe('TopicTrie', () => {
  it('finds nothing when it is empty', () => {
    const trie = new TopicTrie<string>();
    expect(trie.match('a')).toEqual([]);
    expect(trie.match('')).toEqual([]);
    expect(trie.size).toBe(0);
  });

  it('finds the examples of the AMQP specification', () => {
    const trie = trieOf('*.stock.#');
    expect(trie.match('usd.stock')).toEqual(['*.stock.#']);
    expect(trie.match('eur.stock.db')).toEqual(['*.stock.#']);
    expect(trie.match('stock.nasdaq')).toEqual([]);
  });

  // Keys of zero words and with empty words included, as brokers take them.
  it.each([
    ['a.b.c', ['a.b.c', 'a.*.c', 'a.#.c', '#', '#.#', '*.b.*', 'a.#', '#.c', 'a.b.#.c', '*.#']],
    ['a.c', ['a.#.c', '#', '#.#', 'a.#', '#.c', '*.#']],
    ['a', ['#', '#.#', '*', 'a.#', 'a', '*.#']],
    ['b', ['#', '#.#', '*', '*.#']],
    ['', ['#', '#.#', '']],
    ['a..c', ['a.*.c', 'a.#.c', '#', '#.#', 'a.#', '#.c', '*.#']],
    ['.', ['#', '#.#', '*.#', '.']],
    ['c', ['#', '#.#', '*', '#.c', '*.#']],
  ])('matches key %j', (key, expected) => {
    const trie = trieOf(
      ...['a.b.c', 'a.*.c', 'a.#.c', '#', '#.#', '*', '*.b.*', 'a.#', '#.c', 'a.b.#.c', 'a', '', '*.#', '.'],
    );
    expect(new Set(trie.match(key))).toEqual(new Set(expected));
    expect(trie.match(key)).toHaveLength(expected.length);
  });

  it('goes on after a # that is followed by words', () => {
    const trie = trieOf('#.a.#.b.#', '#.a.*.#', '#.#.a');
    expect(trie.match('x.a.y.b.z')).toEqual(['#.a.#.b.#', '#.a.*.#']);
    expect(trie.match('a.b')).toEqual(['#.a.#.b.#', '#.a.*.#']);
    expect(trie.match('b.a')).toEqual(['#.#.a']);
    expect(trie.match('a')).toEqual(['#.#.a']);
    expect(trie.match('b')).toEqual([]);
  });

  it('takes wildcards in a key, and parts of words in a pattern, for ordinary text', () => {
    const trie = trieOf('a.b', 'a.*', 'a*.b', '**');
    expect(trie.match('a.*')).toEqual(['a.*']);
    expect(trie.match('a.#')).toEqual(['a.*']);
    expect(trie.match('a*.b')).toEqual(['a*.b']);
    expect(trie.match('ab.b')).toEqual([]);
    expect(trie.match('**')).toEqual(['**']);
  });

  it('is not confused by the names of Object.prototype', () => {
    const trie = trieOf('__proto__.constructor', 'toString');
    expect(trie.match('__proto__.constructor')).toEqual(['__proto__.constructor']);
    expect(trie.match('constructor')).toEqual([]);
  });

  it('finds a value once, however many of its patterns match', () => {
    const trie = new TopicTrie<string>();
    for (const pattern of ['a.b', 'a.*', 'a.#', '#', '#.b', '*.*']) trie.add(pattern, 'value');
    expect(trie.match('a.b')).toEqual(['value']);
    expect(trie.size).toBe(6);
  });

  it('tells values apart by identity', () => {
    const [one, other] = [{ name: 'same' }, { name: 'same' }];
    const trie = new TopicTrie<object | undefined>();
    trie.add('a', one);
    trie.add('a', other);
    trie.add('a', undefined);
    expect(trie.match('a')).toEqual([one, other, undefined]);
    expect(trie.remove('a', { name: 'same' })).toBe(false);
    expect(trie.remove('a', one)).toBe(true);
    expect(trie.match('a')[0]).toBe(other);
  });

  it('finds values in the order of adding, whichever kind of pattern they have', () => {
    const patterns = ['#', 'a.b', '*.b', 'a.#', 'a.*', '#.b', '*.*', 'a.#.b'];
    for (const rotation of patterns.keys()) {
      const order = [...patterns.slice(rotation), ...patterns.slice(0, rotation)];
      expect(trieOf(...order).match('a.b')).toEqual(order);
      expect(trieOf(...order.reverse()).match('a.b')).toEqual(order);
    }
  });

  it('keeps the place of a value for its later patterns, and forgets it with the last', () => {
    const trie = new TopicTrie<string>();
    trie.add('a', 'first');
    trie.add('b', 'second');
    trie.add('b', 'first');
    expect(trie.match('b')).toEqual(['first', 'second']);
    trie.remove('a', 'first');
    expect(trie.match('b')).toEqual(['first', 'second']);
    trie.remove('b', 'first');
    trie.add('b', 'first');
    expect(trie.match('b')).toEqual(['second', 'first']);
  });

  it('adds a binding once', () => {
    const trie = new TopicTrie<string>();
    expect(trie.add('a.*', 'value')).toBe(true);
    expect(trie.add('a.*', 'value')).toBe(false);
    expect(trie.size).toBe(1);
    expect(trie.remove('a.*', 'value')).toBe(true);
    expect(trie.match('a.b')).toEqual([]);
    expect(trie.size).toBe(0);
  });

  it('removes exactly the binding that is named', () => {
    const trie = trieOf('a', 'a.b', 'a.*', 'a.#', '#');
    expect(trie.remove('a.b', 'a.*')).toBe(false);
    expect(trie.remove('a.b.c', 'a.b')).toBe(false);
    expect(trie.remove('x', 'a.b')).toBe(false);
    expect(trie.remove('a.b', 'unknown')).toBe(false);
    expect(trie.size).toBe(5);
    expect(trie.remove('a.b', 'a.b')).toBe(true);
    expect(trie.remove('a.b', 'a.b')).toBe(false);
    expect(trie.match('a.b')).toEqual(['a.*', 'a.#', '#']);
    expect(trie.match('a')).toEqual(['a', 'a.#', '#']);
  });

  it('keeps no node that no pattern needs', () => {
    const patterns = ['a.b.c.d', 'a.b', 'a.*.c', 'a.#.c.#', '#', '*.*', '', 'a..b'];
    const trie = trieOf(...patterns);
    for (const [index, pattern] of patterns.entries()) {
      trie.remove(pattern, pattern);
      expect(nodesOf(trie)).toBe(nodesOf(trieOf(...patterns.slice(index + 1))));
    }
    expect(nodesOf(trie)).toBe(1);
    expect(trie.size).toBe(0);
  });

  it('gives its caller an array of their own', () => {
    const trie = trieOf('a', '#');
    trie.match('a').length = 0;
    expect(trie.match('a')).toEqual(['a', '#']);
  });

  it('removes many values of one pattern', () => {
    const trie = new TopicTrie<number>();
    for (let value = 0; value < 20_000; value++) trie.add('a.b', value);
    for (let value = 0; value < 20_000; value += 2) trie.remove('a.b', value);
    const left = trie.match('a.b');
    expect(left).toHaveLength(10_000);
    expect(left.every((value, index) => value === 2 * index + 1)).toBe(true);
  });

  it('visits no node twice for one word, whatever the pattern', () => {
    const many = Array<string>(20).fill('#.a').join('.');
    const trie = trieOf(`${many}.#.b`, `${many}.*.#.b`, '#.#.#.#.#.#.b', '#.*.#.*.#.*.b');
    const key = Array<string>(60).fill('a').join('.');
    const visit = jest.spyOn(trie as unknown as { visit(node: unknown, index: number): void }, 'visit');
    expect(trie.match(key)).toEqual([]);
    const visits = visit.mock.calls.length;
    const places = new Map<unknown, Set<number>>();
    for (const [node, index] of visit.mock.calls) {
      const seen = places.get(node) ?? new Set();
      expect(seen.has(index)).toBe(false);
      places.set(node, seen.add(index));
    }
    expect(visits).toBeLessThanOrEqual(nodesOf(trie) * 61);
    expect(trie.match(`${key}.b`)).toHaveLength(4);
  });

  const pattern = patterns(6);
  const key = keys(7, ['*', '#']);

  it(`finds what the rule finds, tried out in every way (seed ${String(seed)})`, () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(pattern, fc.nat(3)), { maxLength: 8 }), key, (bindings, type) => {
        const [trie, table] = [new TopicTrie<number>(), new SlowTable()];
        for (const [spelled, value] of bindings) {
          trie.add(spelled, value);
          table.add(spelled, value);
        }
        expect(trie.match(type)).toEqual(table.match(type));
      }),
      { seed, numRuns: 25_000 },
    );
  });

  it(`stays right while bindings come and go (seed ${String(seed)})`, () => {
    const few = fc.array(pattern, { minLength: 1, maxLength: 5 });
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(4), fc.nat(3)), { maxLength: 30 });
    fc.assert(
      fc.property(few, steps, key, (patterns, list, type) => {
        const [trie, table] = [new TopicTrie<number>(), new SlowTable()];
        for (const [adding, which, value] of list) {
          const spelled = patterns[which % patterns.length] ?? '';
          const done = adding ? trie.add(spelled, value) : trie.remove(spelled, value);
          expect(done).toBe(adding ? table.add(spelled, value) : table.remove(spelled, value));
          expect(trie.size).toBe(table.bindings.length);
          expect(trie.match(type)).toEqual(table.match(type));
        }
        const fresh = new TopicTrie<number>();
        for (const one of table.bindings) fresh.add(one.pattern, one.value);
        expect(nodesOf(trie)).toBe(nodesOf(fresh));
      }),
      { seed, numRuns: 3_000 },
    );
  });
});
