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
  // Tests start real processes and wait for conditions; a condition that never comes must name its test, not hang the run.
  testTimeout: 30_000,
};
