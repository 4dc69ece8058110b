import { InvalidPatternError } from './errors.js';
import { MAX_TYPE_LENGTH } from './event-type.js';

const PATTERN_WORD = /^(?:[A-Za-z0-9_:-]+|\*\*?|#)$/;

/**
 * Checks a pattern and returns it in the one spelling that the rest of the library knows: `**` becomes `#`.
 *
 * A pattern is words of `[A-Za-z0-9_:-]`, `*` (exactly one word) and `#` (zero or more words) joined by `.`, none empty,
 * at most 255 bytes as given. A wildcard stands for whole words only. This is the topic exchange of AMQP 0-9-1 (§3.1.3.3:
 * "`*` matches a single word, and `#` matches zero or more words"; §4.2.5.3: short strings have at most 255 octets) with
 * `_`, `:` and `-` added to the letters and digits of the specification, as in event types, and empty words refused.
 * @throws InvalidPatternError otherwise
 */
export function normalizePattern(pattern: unknown): string {
  if (typeof pattern !== 'string') throw new InvalidPatternError(pattern, 'it is not a string');
  if (pattern === '') throw new InvalidPatternError(pattern, 'it is empty');
  if (pattern.length > MAX_TYPE_LENGTH) {
    throw new InvalidPatternError(pattern, `it is ${String(pattern.length)} characters long`);
  }
  const words = pattern.split('.');
  for (const word of words) if (!PATTERN_WORD.test(word)) throw new InvalidPatternError(pattern, wrongWith(word));
  return words.map((word) => (word === '**' ? '#' : word)).join('.');
}

function wrongWith(word: string): string {
  if (word === '') return 'it has an empty word';
  if (/[*#]/.test(word)) return "a wildcard must be a whole word: '*', '#' or '**' between dots";
  return 'it has a character outside [A-Za-z0-9_:-]';
}

/** True when a normalized pattern may match more than the one type that it spells. */
export function hasWildcard(pattern: string): boolean {
  return pattern.includes('*') || pattern.includes('#');
}

/**
 * The words of a type, routing key or pattern. The empty text has none, `a..b` has an empty one in the middle, as brokers
 * read them: AMQP 0-9-1 §3.1.3.3 lets a routing key be "zero or more words delimited by dots".
 */
export function splitWords(text: string): string[] {
  return text === '' ? [] : text.split('.');
}

/**
 * True when `type` matches the normalized `pattern`, by the rules of `normalizePattern`. For many patterns at once there
 * is `TopicTrie`. Takes at most words of the pattern × words of the type steps, however many `#` there are.
 */
export function matches(pattern: string, type: string): boolean {
  if (!hasWildcard(pattern)) return pattern === type;
  const wanted = splitWords(pattern);
  const given = splitWords(type);
  let at = 0;
  // Where to go on when the words after the last '#' do not fit: that '#' then takes one word more. Earlier ones never
  // need another try, because the last one can take whatever they could have.
  let afterHash = -1;
  let retryFrom = 0;
  for (let index = 0; index < given.length;) {
    const word = wanted[at];
    if (word === '#') {
      afterHash = ++at;
      retryFrom = index;
    } else if (word !== undefined && (word === '*' || word === given[index])) {
      at++;
      index++;
    } else if (afterHash >= 0) {
      at = afterHash;
      index = ++retryFrom;
    } else {
      return false;
    }
  }
  while (wanted[at] === '#') at++;
  return at === wanted.length;
}
