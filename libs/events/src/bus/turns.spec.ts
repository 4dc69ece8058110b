import { expect, it } from '@jest/globals';
import { Turns } from './turns.js';

it('work of one key begins in the order of the calls, behind what takes a while', async () => {
  const order: string[] = [];
  const turns = new Turns();
  let open!: () => void;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const first = turns.take('a', () => gate.then(() => order.push('first')));
  const failing = turns.take('a', () => Promise.reject(new Error('no')));
  const third = turns.after('a', () => order.push('third'));
  expect(turns.after('b', () => order.push('other'))).toBe(1);
  open();
  await expect(failing).rejects.toThrow('no');
  await Promise.all([first, third]);
  expect(order).toEqual(['other', 'first', 'third']);
});

it('keeps nothing of what has ended', async () => {
  const turns = new Turns();
  expect(turns.empty).toBe(true);
  const both = [turns.take('a', () => 1), turns.take('a', () => Promise.reject(new Error('no')))];
  expect(turns.empty).toBe(false);
  await Promise.allSettled(both);
  await Promise.resolve();
  expect(turns.empty).toBe(true);
});
