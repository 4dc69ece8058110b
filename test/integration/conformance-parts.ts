import { beforeAll, describe, it } from '@jest/globals';
import { defineConformanceSuite, redisHarness, REDIS_CAPABILITIES } from 'nestjs-cardinal/testing';

/** The conformance suite on a real server mostly waits: so many files share its topics, and run side by side. */
const PARTS = 4;

/** Defines one part of the topics, from 1, on a backend that is started before them and ends with the test file. */
export function definePart(part: 1 | 2 | 3 | 4, name: string, start: () => Promise<{ readonly url: string }>): void {
  let url = '';
  beforeAll(async () => {
    ({ url } = await start());
  }, 60_000);
  defineConformanceSuite(
    { describe: topicsOf(part), it },
    { name, capabilities: REDIS_CAPABILITIES, harness: () => redisHarness(url) },
  );
}

/** `describe` that leaves out the topics of the other parts: blocks within the outermost, dealt out in turn. */
function topicsOf(part: number): (name: string, body: () => void) => void {
  let depth = 0;
  let topic = 0;
  return (name, body) => {
    if (depth === 1 && topic++ % PARTS !== part - 1) return;
    depth += 1;
    describe(name, body);
    depth -= 1;
  };
}
