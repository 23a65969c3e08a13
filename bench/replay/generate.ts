import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { formatExportLine } from '../../core/capture/export-line';
import type { Observation, TrafficStream } from '../../core/capture/traffic-stream';

/** A day of traffic. */
const SPAN_MS = 86_400_000;
const T0 = 1_790_000_000_000;
export const BODY_BYTES = 1_500;
const CONNECTIONS = 500;
const CARTS = 1_000;

/** What the requests of a capture are: `PUT /carts/<n>/items` of {@link BODY_BYTES}. */
export interface Generated {
  readonly exchanges: number;
  /** Of the lines, before they are compressed. */
  readonly lineBytes: number;
}

/** Writes a capture of one day, over connections that never end. */
export async function generateCapture(path: string, megabytes: number): Promise<Generated> {
  let lineBytes = 0;
  let exchanges = 0;
  const total = Math.ceil((megabytes * 1_000_000) / 2_950);
  function* lines() {
    for (; lineBytes < megabytes * 1_000_000; exchanges += 1) {
      const text = makeExchange(exchanges, T0 + (SPAN_MS * exchanges) / total)
        .map(formatExportLine)
        .join('');
      lineBytes += text.length;
      yield text;
    }
  }
  await pipeline(Readable.from(lines()), createGzip({ level: 1 }), createWriteStream(path));
  return { exchanges, lineBytes };
}

function makeExchange(number: number, startMs: number): TrafficStream[] {
  const connectionId = `connection-${number % CONNECTIONS}`;
  const n = Math.floor(number / CONNECTIONS);
  const body = randomBytes((BODY_BYTES * 3) / 4).toString('base64');
  const request = `PUT /carts/${(number * 7) % CARTS}/items HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const response = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const see = (ms: number, kind: 'read' | 'write', text: string): Observation => ({
    timeNs: BigInt(Math.round((startMs + ms) * 1_000)) * 1_000n,
    kind,
    data: Buffer.from(text),
  });
  const end = { timeNs: see(0, 'read', '').timeNs, kind: 'endOfMessage', firstLineBytes: 0, headersBytes: 0 } as const;
  const base = { connectionId, nodeId: 'bench', priorRequests: n, wasReading: false, isLast: false };
  return [
    { ...base, index: 2 * n, observations: [see(0, 'read', request), end] },
    { ...base, index: 2 * n + 1, observations: [see(3, 'write', response)] },
  ];
}
