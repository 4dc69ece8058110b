import { expect, it } from '@jest/globals';
import type { BusOptions, ResolvedModuleOptions } from '../ports/options.js';
import { resolveModuleOptions } from '../config/resolve.js';
import { declareCardHandler, type DeclareCardOptions } from '../bus/declare-card.js';
import { declareHandler, type DeclareOptions } from '../bus/declare.js';
import { startReport } from './report.js';

const options = (bus: BusOptions): ResolvedModuleOptions =>
  resolveModuleOptions({ env: false, service: 'shop', instanceId: 'shop-1', instances: { default: bus } });

it.each<[string, BusOptions]>([
  ['in memory', {}],
  ["redis at redis://***@host:6379/0, keys 'shop:'", { url: 'redis://user:secret@host:6379/0', keyPrefix: 'shop:' }],
  ["redis at the server of its redis options, keys 'events:'", { redis: { host: 'host', password: 'secret' } }],
  [
    "the driver of custom, keys 'events:'",
    {
      backend: function custom(): never {
        throw new Error('not made');
      },
    },
  ],
])('a bus is %s', (text, bus) => {
  expect(startReport(options(bus), [])).toEqual([`Bus 'default' is ${text}; service 'shop', instance 'shop-1'.`]);
});

it.each<[string, DeclareOptions, boolean]>([
  ['every process, 10 at once, answers requests', {}, false],
  ["once in group 'shop', 3 at once, no requests", { group: true, concurrency: 3, reply: false }, false],
  [
    'every process, 10 at once, answers requests, from the earliest, once',
    { startFrom: 'earliest', once: true },
    false,
  ],
  ['every process, 10 at once, answers requests, an instance per event', {}, true],
])('a handler is %s', (text, given, perEvent) => {
  const { handlers, filters } = options({}).instances.get('default')!;
  const defaults = { name: 'Orders.on', group: 'shop', concurrency: 10, handlers, filters };
  const declaration = declareHandler(['a', 'b.c'], () => undefined, given, defaults);
  const line = `Orders.on listens to 'a', 'b.c' on bus 'default': ${text}.`;
  expect(startReport(options({}), [{ bus: 'default', declaration, perEvent }])[1]).toBe(line);
});

it.each<[string, DeclareCardOptions, boolean]>([
  ['each in order, 10 at once, failed ones to the dead letters', {}, false],
  ['each in order, 3 at once, parked when one has failed', { concurrency: 3, onExhausted: 'park' }, false],
  [
    'each in order, 1 at once in batches of 5, a failed one is tried for ever, an instance per event',
    { batch: { size: 5, maxWait: 0 }, onExhausted: 'block' },
    true,
  ],
])('a handler of cards is %s', (text, given, perEvent) => {
  const { handlers, filters } = options({}).instances.get('default')!;
  const defaults = { name: 'Orders.on', concurrency: 10, handlers, filters };
  const declaration = declareCardHandler(['a', 'b c'], () => undefined, given, defaults);
  const line = `Orders.on handles the cards of 'a', 'b c' on bus 'default': ${text}.`;
  expect(startReport(options({}), [{ bus: 'default', declaration, perEvent }])[1]).toBe(line);
});
