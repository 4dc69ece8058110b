export { TestClock } from './clock.js';
export { EventsRecorder, type RecordedEvent } from './recorder.js';
export { waitFor, waitForAbort, waitForOutcome, type Outcome, type Truthy, type WaitOptions } from './wait-for.js';
export { openTestBus, type TestBusOptions } from './open-bus.js';
export { memoryHarness, MEMORY_CAPABILITIES } from './memory-harness.js';
export { redisHarness, REDIS_CAPABILITIES } from './redis-harness.js';
export type {
  ConformanceCapability,
  Harness,
  HarnessBusOptions,
  HarnessDeadLetter,
  RawCardOptions,
} from './conformance/harness.js';
export type { ConformanceRunner, ConformanceSubject, ConformanceTest, ConformanceTopic } from './conformance/suite.js';
export { conformanceTopics } from './conformance/topics/index.js';
export { defineConformanceSuite } from './conformance/define.js';
