import type { Bench } from '../harness/bench.js';
import { cards } from './cards.js';
import { footprint } from './footprint.js';
import { handlerOptions } from './handler-options.js';
import { inProcess } from './in-process.js';
import { latency } from './latency.js';
import { request } from './request.js';
import { stream, streamSplit } from './stream.js';

export const BENCHES: readonly Bench[] = [
  stream,
  streamSplit,
  latency,
  footprint,
  ...cards,
  ...inProcess,
  ...handlerOptions,
  ...request,
];
