const shared = require('./jest.config');

/**
 * The tests of `npm run test:fast`: all but those below, which start rehearsals or processes, deploy, run the compiled package, or
 * synthesize many apps. A new test of such a kind goes into one of the folders, or its name into the list.
 *
 * @type {import('jest').Config}
 */
const FOLDERS = [
  'bench|bin|deploy|examples',
  'proxy/(?:aws|clients|process|restart|workers)',
  'rehearsal/(?:backend|cli|cloud|functions|redeploy|run|stack|tasks|traffic)',
];
const FILES = [
  'client/goes-through-a-cutover',
  'house/renews-images',
  'lib/(?:api|cdk-app|examples-compile|iam-wildcards|order-of-deployment|passes-validation)',
  'lib/certificates/trusted-authorities',
  'lib/migration/migration',
  'lib/shared/(?:assets|encryption)',
  'lib/validation/only-once',
  'proxy/admin/rotates-admin-keys',
  'proxy/config/checks-certificate-files',
  'proxy/control/ends-in-order-on-sigterm',
  'proxy/data-plane/http1/agrees-with-node',
  'proxy/data-plane/http1/survives-fuzz',
  'proxy/data-plane/shared/keeps-within-its-memory',
  'proxy/data-plane/tls13/(?:hands-over-between-processes|takes-connections)',
  'proxy/session-store/reports-its-health',
  'replay/compares-responses',
  'regress/(?:fast-path-that-could-not-be-tried|process-that-could-not-be-started|time-grows-with-the-bytes)',
  'rehearsal/template/assembly/reads-every-kind-of-template',
];

module.exports = {
  ...shared,
  // Most of them wait for sockets and timers of their own: two cores carry six.
  maxWorkers: 6,
  testPathIgnorePatterns: [
    ...shared.testPathIgnorePatterns,
    ...FOLDERS.map((folder) => `<rootDir>/test/(?:${folder})/`),
    ...FILES.map((file) => `<rootDir>/test/${file}\\.test\\.ts$`),
  ],
};
