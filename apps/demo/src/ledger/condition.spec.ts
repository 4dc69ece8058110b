import { describe, expect, it } from '@jest/globals';
import { Condition } from './condition.js';

describe('Condition', () => {
  it('resolves at once when it holds already', async () => {
    await new Condition().until(() => true);
  });

  it('resolves at the change that makes it hold', async () => {
    const condition = new Condition();
    let value = 0;
    const reached = condition.until(() => value === 2).then(() => value);
    for (value = 1; value < 2; value += 1) condition.changed();
    condition.changed();
    await expect(reached).resolves.toBe(2);
  });

  it('rejects with the reason of the signal, before or later', async () => {
    const condition = new Condition();
    const controller = new AbortController();
    const waiting = condition.until(() => false, controller.signal);
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(condition.until(() => false, controller.signal)).rejects.toThrow('enough');
  });
});
