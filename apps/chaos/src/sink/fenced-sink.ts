import type { Redis } from 'ioredis';

/**
 * - `accepted`: later than everything of its card so far; - `repeated`: the latest event of its card again, of the same or a
 * later owner; - `stale`: of an owner that has been followed by another, refused; - `reordered`: an event that lies before one
 * that was accepted, and not of a stale owner, refused. Without the fence each stale one would have been a late effect.
 */
export type Verdict = 'accepted' | 'repeated' | 'stale' | 'reordered';

export interface Effect {
  readonly card: string;
  /** The fencing token, decimal. */
  readonly token: string;
  /** `<ms>-<number>` */
  readonly sequence: string;
  /** What is kept with it: one line. */
  readonly note: string;
}

export interface Recorded extends Effect {
  readonly verdict: Verdict;
  /** When, in ms of Redis. */
  readonly at: number;
}

/**
 * KEYS: greatest (HASH card -> token, sequence), log (LIST). ARGV: card, token, sequence, note. Returns the verdict.
 * Numbers are compared as text, the longer one is greater: no token is too large.
 */
const APPLY = `
local function compare(a, b)
  if a == b then return 0 end
  if #a ~= #b then return #a > #b and 1 or -1 end
  return a > b and 1 or -1
end
local card, token, sequence = ARGV[1], ARGV[2], ARGV[3]
local verdict = 'accepted'
local last = redis.call('HGET', KEYS[1], card)
if last then
  local lastToken, lastMs, lastNumber = last:match('^(%d+) (%d+)%-(%d+)$')
  local ms, number = sequence:match('^(%d+)%-(%d+)$')
  local order = compare(ms, lastMs)
  if order == 0 then order = compare(number, lastNumber) end
  if compare(token, lastToken) < 0 then
    verdict = 'stale'
  elseif order < 0 then
    verdict = 'reordered'
  elseif order == 0 then
    verdict = 'repeated'
  end
end
if verdict == 'accepted' or verdict == 'repeated' then
  redis.call('HSET', KEYS[1], card, token .. ' ' .. sequence)
end
local time = redis.call('TIME')
local at = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('RPUSH', KEYS[2], table.concat({ verdict, card, token, sequence, at, ARGV[4] }, '\\t'))
return verdict`;

const PAGE = 10_000;

/** Where effects of handlers go: keeps, per card, the greatest token and then the greatest sequence, and refuses what is less. */
export class FencedSink {
  private readonly keys: readonly [string, string];

  constructor(
    private readonly redis: Redis,
    /** What its keys begin with. */
    prefix: string,
  ) {
    this.keys = [`${prefix}sink:greatest`, `${prefix}sink:log`];
  }

  async apply({ card, token, sequence, note }: Effect): Promise<Verdict> {
    return (await this.redis.eval(APPLY, 2, ...this.keys, card, token, sequence, note)) as Verdict;
  }

  /** Everything that came, in the order in which it came. */
  async recorded(): Promise<Recorded[]> {
    const found: Recorded[] = [];
    for (let from = 0; ; from += PAGE) {
      const rows = await this.redis.lrange(this.keys[1], from, from + PAGE - 1);
      found.push(...rows.map(read));
      if (rows.length < PAGE) return found;
    }
  }
}

function read(row: string): Recorded {
  const [verdict, card = '', token = '', sequence = '', at, note = ''] = row.split('\t');
  return { verdict: verdict as Verdict, card, token, sequence, at: Number(at), note };
}
