/**
 * The tests that `npm test` runs one at a time, behind the others: they start many processes, whole rehearsals or proxies with their
 * workers, and would keep other tests and each other from the processor.
 *
 * @type {import('jest').Config}
 */
module.exports = {
  ...require('./jest.config'),
  testMatch: [
    '**/test/client/goes-through-a-cutover.test.ts',
    '**/test/proxy/{restart,workers}/**/*.test.ts',
    '**/test/proxy/capture/keeps-*.test.ts',
    '**/test/regress/*{restart,takeover}*.test.ts',
    '**/test/rehearsal/run/rehearses-*.test.ts',
  ],
  maxWorkers: 1,
};
