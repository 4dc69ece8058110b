import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../../../testing/clock.js';
import { LeaseKeeper, type Leased } from './lease-keeper.js';

class Lease implements Leased {
  lost = 0;
  constructor(public since: number) {}
  lose(): void {
    this.lost++;
  }
}

function desk() {
  const clock = new TestClock(1_000);
  const asked: Lease[][] = [];
  const keeper = new LeaseKeeper<Lease>(clock, 900, (leases) => void asked.push([...leases]));
  return { clock, asked, keeper };
}

describe('LeaseKeeper', () => {
  it('renews what is older than a third of the lease, until it is renewed', async () => {
    const { clock, asked, keeper } = desk();
    const lease = new Lease(1_000);
    keeper.add(lease);
    await clock.advance(270);
    expect(asked).toEqual([]);
    await clock.advance(90);
    expect(asked).toEqual([[lease]]);
    lease.since = clock.now();
    await clock.advance(270);
    expect(asked).toHaveLength(1);
    keeper.stop();
  });

  it('gives up what was not renewed before the lease is over, once', async () => {
    const { clock, keeper } = desk();
    const lease = new Lease(1_000);
    keeper.add(lease);
    await clock.advance(800);
    expect(lease.lost).toBe(0);
    await clock.advance(99);
    expect(lease.lost).toBe(1);
    await clock.advance(5_000);
    expect(lease.lost).toBe(1);
  });

  it('leaves alone what was taken out', async () => {
    const { clock, asked, keeper } = desk();
    const lease = new Lease(1_000);
    keeper.add(lease);
    keeper.delete(lease);
    await clock.advance(5_000);
    expect([lease.lost, asked]).toEqual([0, []]);
  });
});
