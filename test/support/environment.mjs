import { createRequire } from 'node:module';
import { TestEnvironment } from 'jest-environment-node';

/** Jest's environment for Node.js, with what `outside-the-sandbox.mjs` needs. */
export default class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.global.requireOutsideTheSandbox = createRequire(import.meta.url);
  }
}
