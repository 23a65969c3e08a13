import type { CapturedRequest } from '../capture/connection-assembly';
import { formatExportLine } from '../capture/export-line';
import type { Observation } from '../capture/traffic-stream';

/** A request that could not be sent, as a line of JSON. `record` is a line of a capture file, with which it can be sent again. */
export function formatParked(request: CapturedRequest, problem: string): string {
  const { id, connectionId, nodeId, n, message } = request;
  const ns = (ms: number) => BigInt(Math.round(ms * 1_000)) * 1_000n;
  const firstLineBytes = message.startLine.length + 2;
  const observations: Observation[] = [
    { timeNs: ns(message.firstByteMs), kind: 'read', data: message.raw },
    {
      timeNs: ns(message.lastByteMs),
      kind: 'endOfMessage',
      firstLineBytes,
      headersBytes: message.headBytes - firstLineBytes,
    },
  ];
  const part = { connectionId, nodeId, priorRequests: n, wasReading: false, index: 0, isLast: true, observations };
  const recordedAt = new Date(message.firstByteMs).toISOString();
  const record = formatExportLine(part).trimEnd();
  return `${JSON.stringify({ id, problem, recordedAt, request: message.startLine, record })}\n`;
}
