/** Loaded once in a process: for each test file again, they took longer to load than most of the tests to run. */
const OUTSIDE_THE_SANDBOX = 'aws-cdk-lib|constructs|cdk-nag|@platformatic/kafka';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: '<rootDir>/test/support/environment.mjs',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // Those are for `npm run test:long`.
  testPathIgnorePatterns: ['/node_modules/', '\\.long\\.test\\.ts$'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } },
    ],
    [`/node_modules/(?:${OUTSIDE_THE_SANDBOX})/.+\\.js$`]: '<rootDir>/test/support/outside-the-sandbox.mjs',
  },
  transformIgnorePatterns: [`/node_modules/(?!(?:${OUTSIDE_THE_SANDBOX})/)`],
  testSequencer: '<rootDir>/test/support/sequencer.mjs',
  // One more than the cores of the smallest machine: the tests that take longest mostly wait, and start processes of their own.
  maxWorkers: 3,
  // The one limit of all tests. It names a test that hangs, and decides nothing else: far more than any takes on a slow machine.
  testTimeout: 900_000,
};
