import { gzipSync } from 'node:zlib';
import { NO_CAPTURE } from '../../../core/capture/capture-report';
import { formatExportLine } from '../../../core/capture/export-line';
import type { Seen } from '../../../core/capture/traffic-stream';
import { listCaptureProblems, summarizeCapture } from '../../../rehearsal/report/capture-seen';

const store = { kind: 's3', bucket: 'captured', prefix: 'shop/' } as const;
const read: Seen = { kind: 'read', data: Buffer.from('GET / HTTP/1.1\r\n\r\n') };

function line(connectionId: string, priorRequests: number, index: number, seen: Seen): string {
  const observations = [{ timeNs: 1n, ...seen }];
  return formatExportLine({
    connectionId,
    priorRequests,
    index,
    nodeId: 'n',
    wasReading: false,
    isLast: false,
    observations,
  });
}
const pack = (...lines: string[]) => gzipSync(lines.join(''));

test('each request of the store counts once, and what was not forwarded does not', () => {
  const objects = [
    pack(line('a', 0, 0, read), line('a', 0, 0, read), line('a', 1, 1, read)),
    pack(line('b', 0, 0, read), line('b', 0, 1, { kind: 'dropped' })),
  ];
  const seen = summarizeCapture(
    store,
    [{ ...NO_CAPTURE, recorded: 1 }, { ...NO_CAPTURE, recorded: 1 }, undefined],
    objects,
  );
  expect(seen).toMatchObject({ store: 's3://captured/shop/', objects: 2, stored: 2, recorded: 2, silentTasks: 1 });
  expect(listCaptureProblems(seen)).toEqual([]);
});

test('what the proxies counted and is not there, what cannot be read and what was lost is a problem', () => {
  const report = { ...NO_CAPTURE, recorded: 3, unrecorded: 1, lost: 2, pendingBytes: 5 };
  const seen = summarizeCapture(store, [report], [pack(line('a', 0, 0, read)), Buffer.from('no gzip')]);
  expect(listCaptureProblems(seen)).toEqual([
    '1 requests that change something were forwarded without a record',
    '2 records were lost',
    '3 requests must be in the store, got 1',
    '1 objects of the capture cannot be read: incorrect header check',
    '5 bytes of the capture were never written',
  ]);
});
