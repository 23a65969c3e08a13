/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } },
    ],
  },
  // Twice the cores of the smallest machine: the tests that take longest mostly wait.
  maxWorkers: 4,
  // The one limit of all tests. It names a test that hangs, and decides nothing else: far more than any takes on a slow machine.
  testTimeout: 900_000,
};
