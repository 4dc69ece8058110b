import type { ConformanceTopic } from '../suite.js';
import { anycast } from './anycast.js';
import { backPressure } from './back-pressure.js';
import { badInput } from './bad-input.js';
import { broadcast } from './broadcast.js';
import { chains } from './chains.js';
import { failures } from './failures.js';
import { groups } from './groups.js';
import { ordering } from './ordering.js';
import { payloads } from './payloads.js';
import { publishing } from './publishing.js';
import { redelivery } from './redelivery.js';
import { requestFailures } from './request-failures.js';
import { requests } from './requests.js';
import { shutdown } from './shutdown.js';
import { startPositions } from './start-positions.js';
import { subscriptions } from './subscriptions.js';
import { unicast } from './unicast.js';

/** Everything that a bus promises on every backend. */
export const conformanceTopics: readonly ConformanceTopic[] = [
  failures,
  redelivery,
  groups,
  startPositions,
  broadcast,
  anycast,
  unicast,
  requestFailures,
  requests,
  ordering,
  chains,
  publishing,
  backPressure,
  shutdown,
  subscriptions,
  payloads,
  badInput,
];
