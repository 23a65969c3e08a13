// `npm run test:mutation` breaks the decisions one by one, and asks each time whether a test notices. CONTRIBUTING.md says how to
// read what it prints. Nothing is excluded, neither a kind of mutant nor a file: the score is of all of the code.
/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: ['core/**/*.ts', 'lambda/steps/**/*.ts'],
  plugins: ['@stryker-mutator/jest-runner'],
  testRunner: 'jest',
  // One test file, which loads all others: see there. It is related to everything.
  jest: { configFile: 'test/mutation/jest.config.js', enableFindRelatedTests: false },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  ignorePatterns: ['dist', 'cdk.out', 'examples'],
  // What is known of mutants whose code and tests have not changed stays: a second run takes the changed ones alone.
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
  reporters: ['progress-append-only', 'clear-text', 'html'],
  clearTextReporter: { allowEmojis: false, logTests: false, reportTests: false },
  htmlReporter: { fileName: 'reports/mutation/mutation.html' },
  thresholds: { high: 95, low: 85, break: 85 },
};
