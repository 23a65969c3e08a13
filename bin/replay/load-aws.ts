import { join } from 'node:path';
import type * as Aws from '../../replay/aws';

/** The AWS SDK is no dependency of the package: what needs it is a bundle of its own. */
export async function loadAws(): Promise<typeof Aws> {
  return (await import(join(__dirname, '..', '..', 'assets', 'cli', 'replay.js'))) as typeof Aws;
}
