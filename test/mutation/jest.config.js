/** @type {import('jest').Config} */
module.exports = {
  ...require('../../jest.config.js'),
  rootDir: '../..',
  // Stryker puts its own around this one. No test of a decision loads the CDK.
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/mutation/decisions.ts'],
};
