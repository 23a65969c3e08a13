import { decodeTrafficStream } from '../../../core/capture/traffic-stream';
import { ExchangeRecording, RecordingHome } from '../../../proxy/capture/exchange-recording';
import { Trace } from '../../../proxy/capture/trace';
import type { RecordedRequest } from '../../../proxy/data-plane/contract/data-plane';

/** Its clock goes on by one with each look. */
function createHome() {
  let nowNs = 0n;
  const times = { read: [] as bigint[], written: [] as bigint[] };
  const home: RecordingHome = {
    redaction: { fields: new Set(), pointers: [], hash: (value) => value },
    bodyBytes: 100,
    wallClock: {
      get nowNs() {
        nowNs += 1n;
        return nowNs;
      },
    },
    counts: { recorded: 0, unrecorded: 0, lost: 0 },
    rejects: true,
    reject: () => ({ status: 503 }),
    hold: () => true,
    free: () => undefined,
    append: ({ bytes }) => {
      for (const { kind, timeNs } of decodeTrafficStream(bytes).observations) {
        if (kind === 'read') times.read.push(timeNs);
        if (kind === 'write') times.written.push(timeNs);
      }
    },
    commit: () => undefined,
    followMessages: () => undefined,
  };
  return { home, times };
}

const head = {
  ...{ method: 'GET', url: '/', bodyLength: 0, isGrpc: false, isUpgrade: false },
  block: () => 'Host: a\r\n',
} as unknown as RecordedRequest;

test('a response ends in the record when it was given to the client, and not when the client had read it', () => {
  const { home, times } = createHome();
  const first = new ExchangeRecording(home, head, new Trace('n', 'n.1', true));
  first.responseStarted({
    status: 200,
    reason: 'OK',
    fields: '',
    bodyLength: 2,
    isEventStream: false,
    statedLength: 2,
  });
  first.responseReceived(Buffer.from('ok'));
  first.responseEnded('');
  // Its client has seen the end, and asks for more over another connection, before the proxy knows that all of it has left.
  const second = new ExchangeRecording(home, head, new Trace('n', 'n.2', true));
  first.ended();
  second.ended();
  expect(times.written.at(-1)! < times.read.at(-1)!).toBe(true);
});
