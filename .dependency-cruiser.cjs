'use strict';

// The arrows of the library: core <- ports <- validation <- pipeline | bus | consumer | cards | schedule | history | drivers/* <- nest.
// `runtime` wires them all; `config` resolves the options; `testing` may look at everything but nest.
const SRC = '^libs/events/src/';
const SPEC = '\\.spec\\.ts$';
const MIDDLE = '(?:validation|pipeline|bus|consumer|cards|schedule|history)';
const inside = (folders) => `${SRC}${folders}/`;
/** A package, whether it is installed or not. */
const npm = (names) => `(?:^|node_modules/)(?:${names})(?:/|$)`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Circular imports fail under ESM as soon as a decorator is involved. Type-only cycles count.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere; the package itself may be unbuilt.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^nestjs-cardinal(?:/testing)?$' },
    },
    {
      name: 'no-undeclared-package',
      comment: 'What the library imports must be in its own package.json. Specs may use what the workspace has.',
      severity: 'error',
      from: { path: '^(?:libs|apps)/', pathNot: SPEC },
      // An optional peer is both 'npm-peer' and, for its peerDependenciesMeta, 'npm-no-pkg'.
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'no-import-of-specs',
      severity: 'error',
      from: {},
      to: { path: SPEC },
    },
    {
      name: 'core-is-pure',
      comment: 'core imports nothing outside core, but for randomness and the async context, which do no I/O.',
      severity: 'error',
      from: { path: inside('core'), pathNot: SPEC },
      to: { pathNot: [inside('core'), '^(?:node:)?(?:crypto|async_hooks)$'] },
    },
    {
      name: 'ports-know-core-only',
      severity: 'error',
      from: { path: inside('ports'), pathNot: SPEC },
      to: { pathNot: inside('(?:core|ports)') },
    },
    {
      name: 'config-knows-core-and-ports-only',
      severity: 'error',
      from: { path: inside('config'), pathNot: SPEC },
      to: { path: SRC, pathNot: inside('(?:core|ports|config)') },
    },
    {
      name: 'middle-knows-no-outer-layer',
      comment:
        'validation, pipeline, bus, consumer, cards, schedule, history: no driver, no wiring, no options resolution, no Nest.',
      severity: 'error',
      from: { path: inside(MIDDLE), pathNot: SPEC },
      to: { path: SRC, pathNot: inside(`(?:core|ports|${MIDDLE})`) },
    },
    {
      name: 'drivers-know-ports-and-core-only',
      comment: 'No driver knows another one, the pipeline, the bus, the consumer or a retry policy.',
      severity: 'error',
      from: { path: inside('drivers/([^/]+)'), pathNot: [SPEC, inside('drivers/exchange')] },
      to: { path: SRC, pathNot: [inside('(?:core|ports)'), inside('drivers/$1')] },
    },
    {
      name: 'exchange-builds-on-redis',
      severity: 'error',
      from: { path: inside('drivers/exchange'), pathNot: SPEC },
      to: { path: SRC, pathNot: inside('(?:core|ports|drivers/exchange|drivers/redis)') },
    },
    {
      name: 'drivers-folder-has-no-files-of-its-own',
      severity: 'error',
      from: { path: `${SRC}drivers/[^/]+\\.ts$`, pathNot: SPEC },
      to: { path: SRC, pathNot: inside('(?:core|ports)') },
    },
    {
      name: 'runtime-knows-no-nest',
      comment: 'runtime wires bus, consumer and drivers; it also runs outside Nest.',
      severity: 'error',
      from: { path: inside('runtime'), pathNot: SPEC },
      to: { path: inside('(?:nest|testing)') },
    },
    {
      name: 'testing-knows-no-nest',
      severity: 'error',
      from: { path: inside('testing'), pathNot: SPEC },
      to: { path: inside('nest') },
    },
    {
      name: 'nobody-needs-testing',
      severity: 'error',
      from: { path: SRC, pathNot: [SPEC, inside('testing')] },
      to: { path: inside('testing') },
    },
    {
      name: 'nobody-needs-the-entry',
      comment: 'index.ts is for users; inside, import the file that has it.',
      severity: 'error',
      from: { path: SRC, pathNot: SPEC },
      to: { path: `${SRC}index\\.ts$` },
    },
    {
      name: 'nestjs-only-in-nest',
      severity: 'error',
      from: { path: SRC, pathNot: [SPEC, inside('nest')] },
      to: { path: npm('@nestjs') },
    },
    {
      name: 'ioredis-only-in-its-drivers',
      severity: 'error',
      from: { path: SRC, pathNot: [SPEC, inside('drivers/(?:redis|exchange)')] },
      to: { path: npm('ioredis') },
    },
    {
      name: 'apps-and-tests-use-the-package-name',
      comment: 'Import from nestjs-cardinal or nestjs-cardinal/testing, as users do.',
      severity: 'error',
      from: { path: '^(?:apps|test)/' },
      to: { path: '^libs/', pathNot: '^libs/events/dist/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^(?:libs|apps)/[^/]+/dist/', '^test/package/fixtures/'] },
    // Imports of types count too.
    tsPreCompilationDeps: true,
    // No tsConfig: with the paths of the root one, a package name and a path into its source would look the same.
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.mjs', '.cjs', '.js', '.json'],
    },
  },
};
