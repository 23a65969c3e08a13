import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { openFileSource } from '../../../capture/folder/file-source';
import { EventStream } from '../../../capture/read/event-stream';
import { readParts } from '../../../capture/read/part-merge';
import { parseExportLine } from '../../../core/capture/export-line';
import { PART_SUFFIX } from '../../../core/capture/part-name';
import type { TimedEvent } from '../../../core/capture/time-order';
import type { TrafficStream } from '../../../core/capture/traffic-stream';
import type { CaptureConfig } from '../../../proxy/capture/capture';

/** A capture that records everything, unless a test says otherwise. */
export function captureTo(path: string, changes: Partial<CaptureConfig> = {}): CaptureConfig {
  return {
    store: { kind: 'path', path },
    login: {},
    onFailure: 'refuse',
    timeoutMs: 10_000,
    methods: [],
    paths: [],
    never: [],
    recordsMessages: false,
    share: 100,
    redacted: [],
    key: 'a key of a test',
    bodyBytes: 2 ** 20,
    memoryBytes: 2 ** 26,
    ...changes,
  };
}

/** All records of a folder, in the order in which each process wrote them. */
export function readCaptured(folder: string): TrafficStream[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith(PART_SUFFIX));
  return names
    .sort()
    .flatMap((name) =>
      gunzipSync(readFileSync(join(folder, name)))
        .toString()
        .trimEnd()
        .split('\n'),
    )
    .map(parseExportLine);
}

/** Of each connection: what was read and written, and whether some of it was dropped. */
export function joinCaptured(folder: string): Map<string, { read: string; written: string; dropped: number[] }> {
  const connections = new Map<string, { read: string; written: string; dropped: number[] }>();
  for (const { connectionId, observations, priorRequests } of readCaptured(folder)) {
    const seen = connections.get(connectionId) ?? { read: '', written: '', dropped: [] };
    for (const each of observations) {
      if (each.kind === 'read') seen.read += Buffer.from(each.data).toString('latin1');
      if (each.kind === 'write') seen.written += Buffer.from(each.data).toString('latin1');
      if (each.kind === 'dropped') seen.dropped.push(priorRequests);
    }
    connections.set(connectionId, seen);
  }
  return connections;
}

/** What the project's own reader makes of a folder. */
export async function readEvents(
  folder: string,
  withMessages: boolean,
): Promise<{ events: TimedEvent[]; counts: EventStream['counts'] }> {
  const reader = readParts(await openFileSource(folder));
  const options = { signal: new AbortController().signal, follow: false, warn: () => undefined, withMessages };
  const stream = new EventStream(reader, { ...options, windowMs: 10_000, maxBytes: 1e8 });
  const events: TimedEvent[] = [];
  for await (const batch of stream.read()) events.push(...batch);
  return { events, counts: stream.counts };
}

/** `client text hello`; of a Close its code. */
export function listMessages(events: readonly TimedEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.kind !== 'message') return [];
    const { from, type, payload } = event.message;
    const said = Buffer.from(payload);
    return `${from} ${type} ${type === 'close' && said.length >= 2 ? said.readUInt16BE(0) : said.toString()}`;
  });
}
