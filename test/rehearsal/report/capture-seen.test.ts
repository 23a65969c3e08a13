import { gzipSync } from 'node:zlib';
import { NO_CAPTURE } from '../../../core/capture/capture-report';
import { formatExportLine, parseExportLine } from '../../../core/capture/export-line';
import type { Seen } from '../../../core/capture/traffic-stream';
import { listCaptureProblems, summarizeObjects, summarizeStreams } from '../../../rehearsal/report/capture-seen';

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
  const seen = summarizeObjects(
    store,
    [{ ...NO_CAPTURE, recorded: 1 }, { ...NO_CAPTURE, recorded: 1 }, undefined],
    objects,
  );
  expect(seen).toMatchObject({ store: 's3://captured/shop/', objects: 2, stored: 2, recorded: 2, silentTasks: 1 });
  expect(listCaptureProblems(seen)).toEqual([]);
});

test('what the proxies counted and is not there, what cannot be read and what was lost is a problem', () => {
  const report = { ...NO_CAPTURE, recorded: 3, unrecorded: 1, lost: 2, pendingBytes: 5 };
  const seen = summarizeObjects(store, [report], [pack(line('a', 0, 0, read)), Buffer.from('no gzip')]);
  expect(listCaptureProblems(seen)).toEqual([
    '1 requests that change something were forwarded without a record',
    '2 records were lost',
    '3 requests must be in the store, got 1',
    '1 objects of the capture cannot be read: incorrect header check',
    '5 bytes of the capture were never written',
  ]);
});

async function* streamsOf(lines: readonly string[], failure?: string) {
  for (const each of lines) yield await Promise.resolve(parseExportLine(each.trimEnd()));
  if (failure !== undefined) throw new Error(failure);
}

test('of a topic, too, each request counts once, and what keeps it from being read is said', async () => {
  const topic = {
    kind: 'kafka',
    security: 'none',
    brokers: [{ host: '127.0.0.1', port: 9092 }],
    topic: 'traffic',
  } as const;
  const lines = [line('a', 0, 0, read), line('a', 0, 0, read), line('b', 0, 0, read)];
  const seen = await summarizeStreams(topic, [{ ...NO_CAPTURE, recorded: 2 }], streamsOf(lines));
  expect(seen).toMatchObject({ store: 'kafka://127.0.0.1:9092/traffic', messages: 3, stored: 2 });
  expect(listCaptureProblems(seen)).toEqual([]);
  const cut = await summarizeStreams(
    topic,
    [{ ...NO_CAPTURE, recorded: 2 }],
    streamsOf(lines.slice(0, 1), 'it is gone'),
  );
  expect(listCaptureProblems(cut)).toEqual([
    '2 requests must be in the store, got 1',
    'the topic of the capture cannot be read: it is gone',
  ]);
});
