import { defineSuite, type ConformanceRunner, type ConformanceSubject } from './suite.js';
import { conformanceTopics } from './topics/index.js';

/**
 * Defines the conformance suite of a backend with the functions of a test runner:
 * `defineConformanceSuite({ describe, it }, { name: 'mine', capabilities: [], harness: myHarness })`.
 */
export function defineConformanceSuite(runner: ConformanceRunner, subject: ConformanceSubject): void {
  defineSuite(runner, subject, conformanceTopics);
}
