/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

type Project = Exclude<NonNullable<Config['projects']>[number], string>;

const common: Project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          keepClassNames: true,
        },
      },
    ],
  },
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '<rootDir>/test/package/fixtures/'],
  modulePathIgnorePatterns: ['<rootDir>/libs/events/dist/cjs/'],
  setupFilesAfterEnv: ['<rootDir>/test/support/setup.ts'],
};

/** Imports of the package by its name reach its source. */
const source: Project = {
  ...common,
  moduleNameMapper: {
    '^nestjs-cardinal$': '<rootDir>/libs/events/src/index.ts',
    '^nestjs-cardinal/testing$': '<rootDir>/libs/events/src/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};

const withRedis: Project = { ...source, globalSetup: '<rootDir>/test/support/redis-server.ts' };

const config: Config = {
  // Tests of one file run one after another; two files at a time suit the smallest machine that they run on.
  maxWorkers: 2,
  // Modules of the tests of before stay in memory: without a fresh worker now and then the last tests run in its garbage.
  workerIdleMemoryLimit: '600MB',
  coverageProvider: 'v8',
  coverageDirectory: 'coverage',
  collectCoverageFrom: ['libs/events/src/**/*.ts', '!**/*.spec.ts', '!**/*.spec-kit.ts', '!**/scripts.generated.ts'],
  projects: [
    {
      ...source,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/libs/events/src/**/*.spec.ts',
        '<rootDir>/apps/*/src/**/*.spec.ts',
        '<rootDir>/scripts/**/*.spec.ts',
      ],
    },
    {
      ...withRedis,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/integration/**/*.spec.ts', '<rootDir>/test/support/**/*.spec.ts'],
      globals: { testTimeout: 60_000 },
    },
    {
      ...withRedis,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.spec.ts'],
      globals: { testTimeout: 30_000 },
    },
    {
      ...withRedis,
      displayName: 'faults',
      testMatch: ['<rootDir>/test/faults/**/*.spec.ts'],
      globals: { testTimeout: 120_000 },
    },
    {
      ...common,
      displayName: 'package',
      testMatch: ['<rootDir>/test/package/**/*.spec.ts'],
      globals: { testTimeout: 300_000 },
      globalSetup: '<rootDir>/test/support/redis-server.ts',
      // The package's name is not mapped: its own exports decide. This is for the tests' own TypeScript files.
      moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
    },
  ],
};

export default config;
