import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { App } from 'aws-cdk-lib';

/**
 * As a compiled app loads its modules: one by one, when they are first used. An `import` of these packages here would
 * read all of each at once.
 */
export const load = createRequire(import.meta.url) as <T>(module: string) => T;

/** What both apps deploy: the bundle of the functions, and the context of the image. */
export const ASSETS = join(import.meta.dirname, '../../dist/assets');

/** Ends an app, and says what it cost. */
export function finish(app: App): void {
  app.synth();
  process.stdout.write(JSON.stringify(process.cpuUsage()));
}
