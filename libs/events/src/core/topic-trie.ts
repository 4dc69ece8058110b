import { splitWords } from './pattern.js';

/** A value, whatever number of patterns it is bound by. */
interface Entry<T> {
  readonly value: T;
  /** Values come out in the order in which they were first added. */
  readonly rank: number;
  bindings: number;
  /** The match that took it last, so that no match takes it twice. */
  takenBy: number;
}

class Node<T> {
  words: Map<string, Node<T>> | undefined;
  star: Node<T> | undefined;
  hash: Node<T> | undefined;
  /** By rank. */
  readonly entries: Entry<T>[] = [];
  /** Of a `#` node: the match that entered it last. */
  enteredBy = 0;

  get empty(): boolean {
    return this.entries.length === 0 && !this.words && !this.star && !this.hash;
  }

  child(word: string): Node<T> | undefined {
    return word === '*' ? this.star : word === '#' ? this.hash : this.words?.get(word);
  }

  grow(word: string): Node<T> {
    if (word === '*') return (this.star ??= new Node());
    if (word === '#') return (this.hash ??= new Node());
    let child = (this.words ??= new Map<string, Node<T>>()).get(word);
    if (!child) this.words.set(word, (child = new Node()));
    return child;
  }

  cut(word: string): void {
    if (word === '*') this.star = undefined;
    else if (word === '#') this.hash = undefined;
    else if (this.words?.delete(word) && this.words.size === 0) this.words = undefined;
  }
}

/**
 * Values bound by patterns, found by type: the bindings of an AMQP 0-9-1 topic exchange (§3.1.3.3). `*` is one word, `#`
 * zero or more, also several times; a value bound by several matching patterns is found once, as a queue gets one copy.
 *
 * The trie takes patterns and keys as they are: they are split at `.`, the empty one has zero words, an empty word is a
 * word like others. `normalizePattern` says what users may write.
 */
export class TopicTrie<T> {
  private readonly root = new Node<T>();
  private readonly known = new Map<T, Entry<T>>();
  private bindings = 0;
  private nextRank = 0;
  // Of the match that runs; matching calls nobody, so there is only one at a time.
  private round = 0;
  private key: readonly string[] = [];
  private found: Entry<T>[] = [];
  private ordered = true;

  /** Number of (pattern, value) bindings. */
  get size(): number {
    return this.bindings;
  }

  /** Binds `value` by `pattern`. Returns false, and changes nothing, when it already is. */
  add(pattern: string, value: T): boolean {
    let node = this.root;
    for (const word of splitWords(pattern)) node = node.grow(word);
    let entry = this.known.get(value);
    const position = entry ? positionOf(node.entries, entry.rank) : node.entries.length;
    if (entry && node.entries[position] === entry) return false;
    if (!entry) {
      entry = { value, rank: this.nextRank++, bindings: 0, takenBy: 0 };
      this.known.set(value, entry);
    }
    entry.bindings++;
    node.entries.splice(position, 0, entry);
    this.bindings++;
    return true;
  }

  /**
   * Undoes `add(pattern, value)` and prunes what it leaves empty. Returns false, and changes nothing, when there is no
   * such binding. A value without bindings loses its place in the order.
   */
  remove(pattern: string, value: T): boolean {
    const entry = this.known.get(value);
    if (!entry) return false;
    const words = splitWords(pattern);
    const path = [this.root];
    let node: Node<T> | undefined = this.root;
    for (const word of words) {
      node = node.child(word);
      if (!node) return false;
      path.push(node);
    }
    const position = positionOf(node.entries, entry.rank);
    if (node.entries[position] !== entry) return false;
    node.entries.splice(position, 1);
    this.bindings--;
    if (--entry.bindings === 0) this.known.delete(value);
    for (let depth = words.length; depth > 0 && path[depth]?.empty; depth--)
      path[depth - 1]?.cut(words[depth - 1] ?? '');
    return true;
  }

  /**
   * The values whose patterns match `type`, each once, in the order in which they were first added. The array is the
   * caller's. Takes at most nodes × (words + 1) steps, also for patterns full of `#`.
   */
  match(type: string): T[] {
    this.round++;
    this.key = splitWords(type);
    this.found = [];
    this.ordered = true;
    this.visit(this.root, 0);
    return this.collect();
  }

  private collect(): T[] {
    const found = this.found;
    this.found = [];
    if (!this.ordered) found.sort((a, b) => a.rank - b.rank);
    return found.map((entry) => entry.value);
  }

  /** Goes on from `node`, whose path has taken the words before `index`. */
  private visit(node: Node<T>, index: number): void {
    const word = this.key[index];
    if (word === undefined) {
      this.take(node.entries);
    } else {
      const child = node.words?.get(word);
      if (child) this.visit(child, index + 1);
      if (node.star) this.visit(node.star, index + 1);
    }
    if (node.hash) this.enter(node.hash, index);
  }

  /**
   * Takes the words from `index` on, any number of them, with the `#` of `node`. Whoever enters at a word goes on from all
   * later ones too, and words are tried in rising order all the way down, so the first entry of a match covers every other:
   * no node is visited twice for one word.
   */
  private enter(node: Node<T>, index: number): void {
    if (node.enteredBy === this.round) return;
    node.enteredBy = this.round;
    this.take(node.entries);
    // Also when no word is left: a further '#' needs none.
    if (node.hash) this.enter(node.hash, index);
    if (!node.words && !node.star) return;
    for (let next = index; next < this.key.length; next++) this.visit(node, next);
  }

  private take(entries: readonly Entry<T>[]): void {
    for (const entry of entries) {
      if (entry.takenBy === this.round) continue;
      entry.takenBy = this.round;
      const last = this.found.at(-1);
      if (last && last.rank > entry.rank) this.ordered = false;
      this.found.push(entry);
    }
  }
}

/** Where an entry of this rank is, or belongs. */
function positionOf(entries: readonly { readonly rank: number }[], rank: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.rank ?? 0) < rank) low = middle + 1;
    else high = middle;
  }
  return low;
}
