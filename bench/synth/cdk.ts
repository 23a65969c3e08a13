import { join } from 'node:path';
import type { App } from 'aws-cdk-lib';
import { ROOT } from '../processes/resolve';

/** What both apps deploy: the bundle of the functions, and the context of the image. */
export const ASSETS = join(ROOT, 'dist/assets');

/** Ends an app, and says what it cost. */
export function finish(app: App): void {
  app.synth();
  process.stdout.write(JSON.stringify(process.cpuUsage()));
}
