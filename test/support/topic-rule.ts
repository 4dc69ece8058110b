import fc from 'fast-check';

/** Whether `key` matches `pattern`: the rule as AMQP 0-9-1 §3.1.3.3 words it, tried out in every way. */
export function slowlyMatches(pattern: string, key: string): boolean {
  return wordsMatch(words(pattern), words(key));
}

function wordsMatch(pattern: readonly string[], key: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return key.length === 0;
  if (first === '#' && wordsMatch(rest, key)) return true;
  if (key.length === 0) return false;
  const [word, ...others] = key;
  if (first === '#') return wordsMatch(pattern, others);
  return (first === '*' || first === word) && wordsMatch(rest, others);
}

const words = (text: string): string[] => (text.length === 0 ? [] : text.split('.'));

const joined = (from: readonly string[], maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...from), { maxLength }).map((list) => list.join('.'));

/** Patterns of few different words, so that many match; empty words included, as brokers take them. */
export const patterns = (maxLength: number): fc.Arbitrary<string> => joined(['a', 'b', '*', '#', '#', ''], maxLength);

/** Keys for them; `also` are words that a key has besides. */
export const keys = (maxLength: number, also: readonly string[] = []): fc.Arbitrary<string> =>
  joined(['a', 'b', 'a', '', ...also], maxLength);
