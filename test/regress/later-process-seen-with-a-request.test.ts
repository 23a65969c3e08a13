import { PROTOCOL, Setup } from '../../core/switch/switch-model';
import { findRejected, traceRun } from '../model/traced';
import { walk } from '../model/walk';

const SETUP: Setup = { sources: 3, targets: 2, joiners: 1, crashes: 3, epochs: 3 };

test('a task that was started anew holds with a request in flight, and what its first process had sent has ended', () => {
  let visited = 0;
  // In one of these runs the later process had begun a request before the hold arrived.
  const visit = (trace: readonly string[]) => {
    visited += 1;
    expect(findRejected(traceRun(SETUP, PROTOCOL, trace))).toBeUndefined();
  };
  walk(SETUP, PROTOCOL, { walks: 40, steps: 150, seed: 953_540, visit });
  expect(visited).toBe(40);
});
