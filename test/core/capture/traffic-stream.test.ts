import { formatExportLine, parseExportLine } from '../../../core/capture/export-line';
import {
  NoTrafficStream,
  Observation,
  TrafficStream,
  decodeTrafficStream,
  encodeTrafficStream,
} from '../../../core/capture/traffic-stream';
import { foreign } from '../../support/foreign-stream';

const at = 1_790_000_000_123_456_789n;
const seen: Observation[] = [
  { timeNs: at, kind: 'bind' },
  { timeNs: at, kind: 'connect' },
  { timeNs: at, kind: 'read', data: Buffer.from('POST / HTTP/1.1\r\n\r\n') },
  { timeNs: at + 1n, kind: 'readSegment', data: Buffer.from([0, 255]) },
  { timeNs: at + 1n, kind: 'segmentEnd' },
  { timeNs: at + 2n, kind: 'endOfMessage', firstLineBytes: 17, headersBytes: 300 },
  { timeNs: at + 2n, kind: 'released', timedOut: true },
  { timeNs: at + 3n, kind: 'write', data: Buffer.from('HTTP/1.1 200 OK\r\n\r\n') },
  { timeNs: at + 4n, kind: 'writeSegment', data: Buffer.alloc(70_000, 7) },
  { timeNs: at + 5n, kind: 'dropped' },
  { timeNs: at + 6n, kind: 'exception', message: 'reset' },
  { timeNs: at + 7n, kind: 'disconnect' },
  { timeNs: 2_000_000_000n, kind: 'close' },
];
const stream: TrafficStream = {
  connectionId: 'c|1',
  nodeId: 'node',
  priorRequests: 3,
  wasReading: true,
  index: 2,
  isLast: true,
  observations: seen,
};

test('every kind of observation survives encoding and decoding', () => {
  expect(decodeTrafficStream(encodeTrafficStream(stream))).toEqual(stream);
  const first = { ...stream, index: 0, priorRequests: 0, wasReading: false, isLast: false };
  expect(parseExportLine(formatExportLine(first).trimEnd())).toEqual(first);
});

test('a decoder of another maker reads the same by the field numbers of the format', () => {
  const read = foreign.toObject(foreign.decode(encodeTrafficStream(stream)), { longs: Number, bytes: String });
  const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64');
  expect(read).toMatchObject({
    connectionId: 'c|1',
    nodeId: 'node',
    numberOfThisLastChunk: 2,
    priorRequestsReceived: 3,
    lastObservationWasUnterminatedRead: true,
  });
  const ts = (nanos: number) => ({ ts: { seconds: 1_790_000_000, nanos: 123_456_789 + nanos } });
  expect((read as { subStream: object[] }).subStream).toEqual([
    { ...ts(0), bind: {} },
    { ...ts(0), connect: {} },
    { ...ts(0), read: { data: base64('POST / HTTP/1.1\r\n\r\n') } },
    { ...ts(1), readSegment: { data: base64(Buffer.from([0, 255])) } },
    { ...ts(1), segmentEnd: {} },
    { ...ts(2), endOfMessageIndicator: { firstLineByteLength: 17, headersByteLength: 300 } },
    { ...ts(2), requestReleasedDownstream: { timedOut: true } },
    { ...ts(3), write: { data: base64('HTTP/1.1 200 OK\r\n\r\n') } },
    { ...ts(4), writeSegment: { data: base64(Buffer.alloc(70_000, 7)) } },
    { ...ts(5), requestDropped: {} },
    { ...ts(6), connectionException: { message: 'reset' } },
    { ...ts(7), disconnect: {} },
    { ts: { seconds: 2 }, close: {} },
  ]);
});

test('what an encoder of another maker wrote is read, with fields that came later', () => {
  const message = {
    connectionId: 'x',
    number: 0,
    subStream: [{ ts: { seconds: 5 }, read: { data: Buffer.from('a') } }],
  };
  const bytes = Buffer.concat([foreign.encode(foreign.fromObject(message)).finish(), Buffer.from([0x98, 0x06, 0x01])]);
  expect(decodeTrafficStream(bytes)).toEqual({
    connectionId: 'x',
    nodeId: '',
    priorRequests: 0,
    wasReading: false,
    index: 0,
    isLast: false,
    observations: [{ timeNs: 5_000_000_000n, kind: 'read', data: new Uint8Array([97]) }],
  });
});

test('what is none says what is wrong with it, wherever it was cut', () => {
  const bytes = encodeTrafficStream(stream);
  for (let length = 0; length < bytes.length; length += length < 200 ? 1 : 997) {
    const cut = bytes.subarray(0, length);
    try {
      // A cut between two fields leaves a message: then what is missing is at its end.
      expect(decodeTrafficStream(cut).observations.length).toBeLessThanOrEqual(seen.length);
    } catch (error) {
      expect(error).toBeInstanceOf(NoTrafficStream);
      expect((error as Error).message).not.toBe('');
    }
  }
  expect(() => decodeTrafficStream(new Uint8Array(0))).toThrow('it has no connectionId (field 1)');
  expect(() => decodeTrafficStream(Buffer.from([10, 1, 97]))).toThrow('it has no number (field 3 or 4)');
  expect(() => parseExportLine('no separator')).toThrow("it must be '<key>|<base64>', and has no '|'");
  expect(() => parseExportLine('key|not base64!')).toThrow("what follows '|' must be base64");
});
