import { afterAll, jest } from '@jest/globals';
import { cleanUp } from './cleanup.js';

// Jest ignores `testTimeout` in a project, so each project of jest.config.ts gives its own as a global.
const { testTimeout } = globalThis as { testTimeout?: number };
if (testTimeout !== undefined) jest.setTimeout(testTimeout);

// Every server and child process that a test file started ends with it, also when a test or a hook failed. Jest runs
// hooks in the order of their definition, so this comes before a file's own afterAll: what uses such a server is closed
// by onCleanup(), the newest first.
afterAll(cleanUp, 30_000);
