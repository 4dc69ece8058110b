import { describe, expect, it } from '@jest/globals';
import { waitFor } from 'nestjs-cardinal/testing';
import { ANY, ANYCAST, GROUP, LOG, oneType } from './one-type.js';

/** What those cost who wait for the first event of a type. */

const { redis, member, publish } = oneType();

/** How often the server has carried a command out. */
async function calls(name: string): Promise<number> {
  const stats = await redis.raw.info('commandstats');
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe.each([
  { spec: GROUP, key: LOG },
  { spec: ANYCAST, key: ANY },
])('a $spec.kind source of a type that has no events yet', ({ spec, key }) => {
  it('looks now and then, not all the time, and takes the first one', async () => {
    const one = await member(spec, { reclaimAfter: '1s' });
    await redis.raw.config('RESETSTAT');
    // By then polls have read, and looked for what others have left.
    await waitFor(async () => (await calls('xreadgroup')) + (await calls('xautoclaim')) >= 8, { timeout: 20_000 });
    const began = await calls('time');
    await waitFor(async () => (await calls('time')) > began, { timeout: 20_000 });
    for (const name of ['xautoclaim', 'xreadgroup', 'exists']) expect(await calls(name)).toBeLessThan(50);
    await publish(1, key);
    const first = await one.next();
    expect(first).toMatchObject({ attempt: 1, redelivered: false });
    await one.ack(first);
  });
});
