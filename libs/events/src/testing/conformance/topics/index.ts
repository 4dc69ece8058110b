import type { ConformanceTopic } from '../suite.js';
import { anycast } from './anycast.js';
import { backPressure } from './back-pressure.js';
import { badInput } from './bad-input.js';
import { batches } from './batches.js';
import { broadcast } from './broadcast.js';
import { cardBatches } from './card-batches.js';
import { cardCrashes } from './card-crashes.js';
import { cardExhausted } from './card-exhausted.js';
import { cardForeign } from './card-foreign.js';
import { cardLetters } from './card-letters.js';
import { cardOrder } from './card-order.js';
import { cardPayloads } from './card-payloads.js';
import { cardPublishing } from './card-publishing.js';
import { cardRandom } from './card-random.js';
import { cardRegistry } from './card-registry.js';
import { cardRetries } from './card-retries.js';
import { cardShutdown } from './card-shutdown.js';
import { cardSteps } from './card-steps.js';
import { cardTimeouts } from './card-timeouts.js';
import { cardTopics } from './card-topics.js';
import { cardTurns } from './card-turns.js';
import { cardUnreadable } from './card-unreadable.js';
import { chains } from './chains.js';
import { crashes } from './crashes.js';
import { deadLetters } from './dead-letters.js';
import { failures } from './failures.js';
import { filters } from './filters.js';
import { groups } from './groups.js';
import { idempotency } from './idempotency.js';
import { ordering } from './ordering.js';
import { payloads } from './payloads.js';
import { publishing } from './publishing.js';
import { publishingReliably } from './publishing-reliably.js';
import { pulling } from './pulling.js';
import { randomHandlers } from './random-handlers.js';
import { redelivery } from './redelivery.js';
import { replays } from './replays.js';
import { requestFailures } from './request-failures.js';
import { requests } from './requests.js';
import { retries } from './retries.js';
import { retriesElsewhere } from './retries-elsewhere.js';
import { retriesHandedOver } from './retries-handed-over.js';
import { shutdown } from './shutdown.js';
import { startPositions } from './start-positions.js';
import { subscriptions } from './subscriptions.js';
import { systemEvents } from './system-events.js';
import { timeouts } from './timeouts.js';
import { typed } from './typed.js';
import { unicast } from './unicast.js';

/** Everything that a bus promises on every backend. */
export const conformanceTopics: readonly ConformanceTopic[] = [
  failures,
  retries,
  retriesHandedOver,
  retriesElsewhere,
  timeouts,
  crashes,
  randomHandlers,
  deadLetters,
  replays,
  filters,
  batches,
  pulling,
  systemEvents,
  redelivery,
  idempotency,
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
  publishingReliably,
  backPressure,
  shutdown,
  subscriptions,
  payloads,
  typed,
  badInput,
  cardCrashes,
  cardExhausted,
  cardUnreadable,
  cardRetries,
  cardTimeouts,
  cardRandom,
  cardOrder,
  cardTurns,
  cardBatches,
  cardSteps,
  cardShutdown,
  cardRegistry,
  cardLetters,
  cardTopics,
  cardPublishing,
  cardPayloads,
  cardForeign,
];
