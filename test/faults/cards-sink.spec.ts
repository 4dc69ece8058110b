import { expect, it } from '@jest/globals';
import { FencedSink } from '../../apps/chaos/src/sink/fenced-sink.js';
import { oneRedis } from './one-redis.js';

const redis = oneRedis();

it('the fenced sink of these tests: takes what is later, knows what comes again, refuses an owner that was followed', async () => {
  const sink = new FencedSink(redis.raw, 'test');
  const apply = (token: string, sequence: string, card = 'a'): Promise<string> =>
    sink.apply({ card, token, sequence, note: 'n' });
  expect(await apply('9', '5-9')).toBe('accepted');
  expect(await apply('9', '5-10')).toBe('accepted');
  expect(await apply('9', '5-10')).toBe('repeated');
  expect(await apply('10', '5-10')).toBe('repeated');
  expect(await apply('9', '6-0')).toBe('stale');
  expect(await apply('10', '5-9')).toBe('reordered');
  expect(await apply('11', '4-0')).toBe('reordered');
  // Beyond what a number of Lua holds exactly.
  expect(await apply('9007199254740993', '6-0')).toBe('accepted');
  expect(await apply('9007199254740992', '7-0')).toBe('stale');
  expect(await apply('1', '1-0', 'b')).toBe('accepted');
  const recorded = await sink.recorded();
  expect(recorded.map(({ verdict }) => verdict)).toHaveLength(10);
  expect(recorded[3]).toMatchObject({ card: 'a', token: '10', sequence: '5-10', note: 'n', verdict: 'repeated' });
});
