import { findCaptureGaps, findUnreplayable } from '../../../core/capture/capture-gate';
import { CaptureReport, NO_CAPTURE } from '../../../core/capture/capture-report';

const limits = { maxUnrecorded: 1, maxPendingSeconds: 10 };
const task = (address: string, changes: object) => ({ address, report: { capture: { ...NO_CAPTURE, ...changes } } });

test('a capture within its limits lacks nothing; of a task that does not respond nothing is known here', () => {
  const tasks = [task('a', { recorded: 5, unrecorded: 1, refused: 7, pendingMs: 10_000 }), { address: 'b' }];
  expect(findCaptureGaps(limits, 'source', tasks)).toEqual([]);
});

test('each gap has its name, its rule and its value; what was not recorded lasts', () => {
  const tasks = [
    task('a', { unrecorded: 1 }),
    task('b', { unrecorded: 1, pendingMs: 11_400 }),
    { address: 'c', report: {} },
  ];
  expect(findCaptureGaps(limits, 'source', tasks)).toEqual([
    { isLasting: true, message: 'every proxy of the source must record its traffic, got none at c' },
    {
      isLasting: true,
      message: "'capture.maxUnrecorded': the source must have forwarded at most 1 requests without a record, got 2",
    },
    {
      isLasting: false,
      message: "'capture.maxPendingSeconds': the records of the source must be written within 10 s, got 11 s at b",
    },
  ]);
  expect(findCaptureGaps(limits, 'source', [task('a', { isFailing: true })])).toMatchObject([
    { isLasting: false, message: expect.stringContaining('got a store that takes none at a') as string },
  ]);
});

test('a replay needs each write, of all proxies in one store', () => {
  const of = (...given: Partial<CaptureReport>[]) =>
    findUnreplayable(given.map((each) => ({ ...NO_CAPTURE, ...each })));
  expect(of({}, { store: 's3://bucket/b' }, { store: 's3://bucket/b' })).toBeUndefined();
  expect(of({ leavesOut: ['capture_share'] }, { leavesOut: ['capture_share', 'capture_paths'] })).toBe(
    'the proxies must record each write, got some that are left out by capture_share, capture_paths',
  );
  expect(of({ store: 's3://bucket/b' }, {}, { store: 's3://bucket/c' })).toContain(
    "got 's3://bucket/b' and 's3://bucket/c'",
  );
});
