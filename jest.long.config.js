/**
 * The tests of `npm run test:long`: `NAME.long.test.ts`, one file at a time. Matrices of faults, repetitions, and variants of what
 * `npm test` does once.
 *
 * @type {import('jest').Config}
 */
module.exports = {
  ...require('./jest.config'),
  testMatch: ['**/*.long.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  maxWorkers: 1,
};
