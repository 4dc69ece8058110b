import type { ConformanceCapability, Harness } from './harness.js';
import { Stage } from './stage.js';

/** One promise of the library, and the test of it. */
export interface ConformanceTest {
  /** The promise, as a sentence. */
  readonly name: string;
  readonly needs?: ConformanceCapability;
  /** Rejects when the promise is not kept. The harness is fresh, and closed by the caller. */
  run(harness: Harness): Promise<void>;
}

/** Promises about one thing. */
export interface ConformanceTopic {
  readonly name: string;
  readonly tests: readonly ConformanceTest[];
}

type Block = (name: string, body: () => void) => unknown;
type Case = (name: string, body: () => Promise<void>) => unknown;
type Hook = (body: () => Promise<void>) => unknown;

/** What the suite needs of a test runner; Jest, Vitest and node:test have it. */
export interface ConformanceRunner {
  readonly describe: Block;
  /** `skip` shows the tests that the backend's capabilities leave out; without it they are not mentioned. */
  readonly it: Case & { readonly skip?: Case };
  /** With both hooks the harness opens and closes in them, otherwise in the test. */
  readonly beforeEach?: Hook;
  readonly afterEach?: Hook;
}

/** A backend to test. */
export interface ConformanceSubject {
  readonly name: string;
  readonly capabilities: readonly ConformanceCapability[];
  /** Makes a fresh harness for one test. */
  readonly harness: () => Promise<Harness>;
}

/** Makes a test of a promise. */
export function promise(
  name: string,
  run: (stage: Stage) => Promise<void>,
  needs?: ConformanceCapability,
): ConformanceTest {
  const test = { name, run: (harness: Harness) => onStage(harness, run) };
  return needs === undefined ? test : { ...test, needs };
}

async function onStage(harness: Harness, run: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = new Stage(harness);
  try {
    await run(stage);
  } finally {
    stage.openGates();
  }
}

/** Gives the topics to the runner as one suite. */
export function defineSuite(
  runner: ConformanceRunner,
  { name, capabilities, harness }: ConformanceSubject,
  topics: readonly ConformanceTopic[],
): void {
  const { describe, it } = runner;
  describe(`the ${name} backend keeps the promises of the bus`, () => {
    for (const topic of topics) {
      describe(topic.name, () => {
        const inHooks = harnessInHooks(runner, harness);
        for (const test of topic.tests) {
          const { needs } = test;
          if (needs === undefined || capabilities.includes(needs))
            it(test.name, () => inHooks?.(test) ?? alone(test, harness));
          else it.skip?.(`${test.name} (needs: ${needs})`, () => Promise.resolve());
        }
      });
    }
  });
}

function harnessInHooks(
  { beforeEach, afterEach }: ConformanceRunner,
  open: () => Promise<Harness>,
): ((test: ConformanceTest) => Promise<void>) | undefined {
  if (beforeEach === undefined || afterEach === undefined) return undefined;
  let harness: Harness | undefined;
  beforeEach(async () => {
    harness = await open();
  });
  afterEach(async () => {
    await harness?.close();
    harness = undefined;
  });
  return async (test) => {
    if (harness === undefined) throw new Error('The harness was not opened: beforeEach did not run.');
    await test.run(harness);
  };
}

/** What the test says comes before what the closing says. */
async function alone(test: ConformanceTest, open: () => Promise<Harness>): Promise<void> {
  const harness = await open();
  try {
    await test.run(harness);
  } catch (error) {
    await harness.close().catch(() => undefined);
    throw error;
  }
  await harness.close();
}
