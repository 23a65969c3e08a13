import { fileProblem, shareFiles } from '../../../core/proxy/file-budget';

const DEFAULTS = { clientConnections: 30_000, upstreamConnections: 28_000 };

test.each([
  [65_536, { clientConnections: 30_000, upstreamConnections: 28_000, connections: 65_488, turnedAway: 256 }],
  [20_000, { clientConnections: 9_848, upstreamConnections: 9_848, connections: 19_952, turnedAway: 256 }],
  [256, { clientConnections: 91, upstreamConnections: 91, connections: 208, turnedAway: 26 }],
  [Infinity, { ...DEFAULTS, connections: Infinity, turnedAway: 0 }],
])('of %d files each side has what fits', (openFiles, quotas) => {
  expect(shareFiles(openFiles, DEFAULTS)).toEqual(quotas);
});

test('both sides and those who are turned away fit together, whatever the limit', () => {
  for (let openFiles = 0; openFiles <= 2_000; openFiles += 1) {
    const { clientConnections, upstreamConnections, connections, turnedAway } = shareFiles(openFiles, DEFAULTS);
    expect(clientConnections + upstreamConnections + turnedAway).toBeLessThanOrEqual(connections);
    expect(Math.min(clientConnections, upstreamConnections)).toBeGreaterThan(0);
  }
});

test('what does not fit is said with what it takes', () => {
  expect(fileProblem(256, { clientConnections: 1_000, upstreamConnections: 100 })).toBe(
    "the limit of open files ('ulimit -n') must be at least 2304 for 1000 connections on each side, got 256: 91 are accepted",
  );
  expect(fileProblem(2_304, { clientConnections: 1_000, upstreamConnections: 1_000 })).toBeUndefined();
  expect(fileProblem(Infinity, DEFAULTS)).toBeUndefined();
});
