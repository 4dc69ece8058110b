import { describe, expect, it } from '@jest/globals';
import { declarationOf } from '../pipeline/handler.spec-kit.js';
import { turns } from '../testing/clock.js';
import { door, type Door } from './consumer.spec-kit.js';
import { HandlerEntry } from './registry.js';
import { Solo } from './solo.js';

/** A process with two handlers of one place each. */
function processOf(): { solo: Solo; one: HandlerEntry; two: HandlerEntry } {
  const entries: HandlerEntry[] = [];
  const solo = new Solo(() => entries);
  for (const name of ['one', 'two'])
    entries.push(new HandlerEntry(declarationOf({ name }), { step: () => ({ kind: 'ack' }) }, solo));
  return { solo, one: entries[0]!, two: entries[1]! };
}

/** Work in a lane, which ends when the test says so. */
function enter({ lane }: HandlerEntry, name: string, begun: string[]): () => void {
  lane.enter({ run: () => begun.push(name) });
  return () => {
    lane.leave();
  };
}

function suspect(solo: Solo, name: string, begun: string[]): Door {
  const waiting = door();
  solo.add(() => {
    begun.push(name);
    return waiting.opened;
  });
  return waiting;
}

describe('Solo', () => {
  it('begins at once where nothing runs, and opens again afterwards', async () => {
    const { solo } = processOf();
    const begun: string[] = [];
    const { open } = suspect(solo, 'suspect', begun);
    expect([begun, solo.closed]).toEqual([['suspect'], true]);
    open();
    await turns();
    expect(solo.closed).toBe(false);
  });

  it('waits for all that runs, and lets nothing else begin', async () => {
    const { solo, one, two } = processOf();
    const begun: string[] = [];
    const endOne = enter(one, 'one', begun);
    const endTwo = enter(two, 'two', begun);
    suspect(solo, 'suspect', begun);
    enter(one, 'later', begun);
    endOne();
    await turns();
    expect(begun).toEqual(['one', 'two']);
    endTwo();
    await turns();
    expect(begun).toEqual(['one', 'two', 'suspect']);
  });

  it('knows the handlers of several registries', async () => {
    const { solo } = processOf();
    const begun: string[] = [];
    const ofCards = new HandlerEntry(declarationOf({ name: 'cards' }), { step: () => ({ kind: 'ack' }) }, solo);
    solo.watch(() => [ofCards]);
    const end = enter(ofCards, 'cards', begun);
    suspect(solo, 'suspect', begun);
    await turns();
    expect(begun).toEqual(['cards']);
    end();
    await turns();
    expect(begun).toEqual(['cards', 'suspect']);
  });

  it('lets the others go on afterwards, in their order and at most as many as they have places', async () => {
    const { solo, one, two } = processOf();
    const begun: string[] = [];
    const { open } = suspect(solo, 'suspect', begun);
    const end = enter(one, 'first', begun);
    enter(one, 'second', begun);
    enter(two, 'other', begun);
    await turns();
    expect(begun).toEqual(['suspect']);
    open();
    await turns();
    expect(begun).toEqual(['suspect', 'first', 'other']);
    end();
    expect(begun).toEqual(['suspect', 'first', 'other', 'second']);
  });

  it('takes several one after the other, before the others go on', async () => {
    const { solo, one } = processOf();
    const begun: string[] = [];
    const first = suspect(solo, 'suspect 1', begun);
    const second = suspect(solo, 'suspect 2', begun);
    enter(one, 'other', begun);
    await turns();
    expect(begun).toEqual(['suspect 1']);
    first.open();
    await turns();
    expect([begun, solo.closed]).toEqual([['suspect 1', 'suspect 2'], true]);
    second.open();
    await turns();
    expect(begun).toEqual(['suspect 1', 'suspect 2', 'other']);
  });

  it('takes one more that comes when it has opened again', async () => {
    const { solo } = processOf();
    const begun: string[] = [];
    suspect(solo, 'suspect 1', begun).open();
    await turns();
    suspect(solo, 'suspect 2', begun).open();
    await turns();
    expect([begun, solo.closed]).toEqual([['suspect 1', 'suspect 2'], false]);
  });

  it('waits for what the suspect itself leaves running', async () => {
    const { solo, one } = processOf();
    const begun: string[] = [];
    solo.add(() => {
      one.lane.force({ run: () => begun.push('forced') });
      return Promise.resolve();
    });
    suspect(solo, 'suspect 2', begun);
    await turns();
    expect(begun).toEqual(['forced']);
    one.lane.leave();
    await turns();
    expect(begun).toEqual(['forced', 'suspect 2']);
  });
});
