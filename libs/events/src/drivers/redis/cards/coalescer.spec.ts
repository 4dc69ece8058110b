import { describe, expect, it } from '@jest/globals';
import { afterIo } from '../../../core/clock.js';
import { Coalescer, type Question } from './coalescer.js';

interface Asked extends Question {
  readonly number: number;
}

const turn = (): Promise<void> => new Promise(afterIo);

function desk(most: number, calls: number) {
  const sent: number[][] = [];
  const failed: number[] = [];
  const answers: { resolve(): void; reject(error: Error): void }[] = [];
  const coalescer = new Coalescer<Asked>(most, calls, (asked) => {
    sent.push(asked.map(({ number }) => number));
    return new Promise((resolve, reject) => answers.push({ resolve, reject }));
  });
  const ask = (...numbers: number[]): void => {
    for (const number of numbers) coalescer.ask({ number, fail: () => void failed.push(number) });
  };
  return { sent, failed, answers, coalescer, ask };
}

describe('Coalescer', () => {
  it('sends what is asked in one turn together, and what comes meanwhile after the answer', async () => {
    const { sent, answers, ask } = desk(10, 1);
    ask(1, 2);
    expect(sent).toEqual([]);
    await turn();
    ask(3);
    await turn();
    ask(4);
    await turn();
    expect(sent).toEqual([[1, 2]]);
    answers[0]!.resolve();
    await turn();
    await turn();
    expect(sent).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('sends no more than fits, in as many calls as may be under way', async () => {
    const { sent, ask } = desk(2, 2);
    ask(1, 2, 3, 4, 5);
    for (let count = 0; count < 5; count++) await turn();
    expect(sent).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('an answer that fails is that of its call alone, and the next is sent', async () => {
    const { sent, failed, answers, ask, coalescer } = desk(2, 1);
    ask(1, 2, 3);
    await turn();
    answers[0]!.reject(new Error('no'));
    await turn();
    await turn();
    expect([failed, sent]).toEqual([
      [1, 2],
      [[1, 2], [3]],
    ]);
    let idle = false;
    void coalescer.idle().then(() => (idle = true));
    await turn();
    expect(idle).toBe(false);
    answers[1]!.resolve();
    await turn();
    expect(idle).toBe(true);
    await coalescer.idle();
  });
});
