import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Minutes, Part } from './cutover';

/** Simulates parts on so many threads. What comes out does not depend on how many there are. */
export async function runParts(
  parts: readonly Part[],
  threads: number,
  onDone: (part: Part, minutes: Minutes) => void,
): Promise<void> {
  const left = [...parts];
  await Promise.all(Array.from({ length: Math.min(threads, parts.length) }, () => runThread(left, onDone)));
}

function runThread(left: Part[], onDone: (part: Part, minutes: Minutes) => void): Promise<void> {
  const worker = new Worker(join(__dirname, 'worker.js'));
  let part = left.shift();
  const run = new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.on('message', (minutes: Minutes) => {
      onDone(part!, minutes);
      part = left.shift();
      if (part) worker.postMessage(part);
      else resolve();
    });
    if (part) worker.postMessage(part);
    else resolve();
  });
  return run.finally(() => worker.terminate());
}
