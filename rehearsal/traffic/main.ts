import { setFlagsFromString } from 'node:v8';
import { announceReady, entryOptions } from '../processes/entry';
import { MachineNews, machineTime } from '../processes/machine-time';
import { Generators } from './generators';
import type { TrafficOptions } from './options';

// Entry: the traffic, in a process of its own so that nothing that it measures is its own waiting. It tells its parent
// a snapshot each 250 ms and, when it is asked to stop, the tally.

const SNAPSHOT_MS = 250;

// An expression of a scenario that tries endless ways is matched in linear time in the end: else all clients wait for it for ever. One with an
// assertion such as `(?=a)`, or a back-reference, cannot be.
setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
const generators = new Generators(entryOptions<TrafficOptions>());
generators.start();
const timer = setInterval(() => process.send?.({ snapshot: generators.recorder.snapshot() }), SNAPSHOT_MS);
process.on('message', (message: 'mark' | 'pause' | 'stop' | MachineNews) => {
  if (typeof message === 'object') machineTime.hear(message);
  if (message === 'mark') generators.recorder.mark();
  if (message === 'pause') generators.pause();
  if (message === 'stop') void stop();
});
announceReady(true);

async function stop(): Promise<void> {
  const recording = await generators.stop();
  clearInterval(timer);
  process.send?.({ snapshot: generators.recorder.snapshot() });
  const { recorder } = generators;
  process.send?.({ ended: { tally: recorder.tally(), record: recorder.record, recording } }, () =>
    process.disconnect(),
  );
}
