import { formatReplayLine } from '../../../core/replay/replay-metrics';

test('a line has the lag in seconds, and what came since the line before', () => {
  const before = { sent: 10, failed: 1, parked: 0, reordered: 2 };
  const now = { lagMs: 1_234.6, sent: 15, failed: 1, parked: 1, reordered: 2 };
  expect(formatReplayLine('to-target', now, before, 7)).toEqual({
    _aws: {
      Timestamp: 7,
      CloudWatchMetrics: [
        {
          Namespace: 'Drainshift',
          Dimensions: [['Service']],
          Metrics: [
            { Name: 'ReplayLag', Unit: 'Seconds' },
            ...['ReplaySent', 'ReplayFailed', 'ReplayParked', 'ReplayReordered'].map((Name) => ({
              Name,
              Unit: 'Count',
            })),
          ],
        },
      ],
    },
    Service: 'to-target',
    ...{ ReplayLag: 1.235, ReplaySent: 5, ReplayFailed: 0, ReplayParked: 1, ReplayReordered: 0 },
  });
});
