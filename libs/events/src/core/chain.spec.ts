import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Chain, Link } from './chain.js';

class Named extends Link {
  constructor(readonly name: number) {
    super();
  }
}

const names = (chain: Chain<Named>): number[] => [...chain].map(({ name }) => name);

describe('Chain', () => {
  it('has its links in the order of adding, whoever leaves, and whoever comes again', () => {
    const action = fc.record({ who: fc.nat(5), adds: fc.boolean() });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 50 }), (actions) => {
        const chain = new Chain<Named>();
        const links = Array.from({ length: 6 }, (_, name) => new Named(name));
        let model: number[] = [];
        for (const { who, adds } of actions) {
          const isIn = model.includes(who);
          expect(links[who]?.leave()).toBe(isIn);
          model = model.filter((each) => each !== who);
          if (adds) {
            chain.add(links[who]!);
            model.push(who);
          }
          expect(names(chain)).toEqual(model);
          expect(chain.first?.name).toBe(model[0]);
        }
      }),
    );
  });

  it('is read to its end where the link leaves that the reader stands at', () => {
    const chain = new Chain<Named>();
    for (let name = 0; name < 4; name++) chain.add(new Named(name));
    const read: number[] = [];
    for (const link of chain) {
      read.push(link.name);
      if (link.name % 2 === 0) link.leave();
    }
    expect(read).toEqual([0, 1, 2, 3]);
    expect(names(chain)).toEqual([1, 3]);
  });

  it('is led to by nothing that has left it', () => {
    const chain = new Chain<Named>();
    const [old, young] = [new Named(0), new Named(1)];
    chain.add(old);
    chain.add(young);
    old.leave();
    expect([old.before, old.after]).toEqual([undefined, undefined]);
  });
});
