import { gunzipSync } from 'node:zlib';
import { CaptureReport, NO_CAPTURE, addCaptures } from '../../core/capture/capture-report';
import { parseExportLine } from '../../core/capture/export-line';
import type { StoreUrl } from '../../core/capture/store-url';
import { formatStoreUrl } from '../../core/capture/store-url';
import type { TrafficStream } from '../../core/capture/traffic-stream';

/** What was recorded in a rehearsal: as the proxies count it, and as it stands in the store. */
export interface CaptureSeen extends CaptureReport {
  readonly store: string;
  /** Of a bucket. */
  readonly objects?: number;
  /** Messages of a topic: what was written again may be there twice. */
  readonly messages?: number;
  /** Requests in these, each counted once, without those that say that they were not forwarded. */
  readonly stored: number;
  /** Objects that could not be read, or the topic; the first says why. */
  readonly unreadable: number;
  readonly problem?: string;
  /** Tasks of the source that did not say what they recorded. */
  readonly silentTasks: number;
}

type Reports = readonly (CaptureReport | undefined)[];

/** @param reports of the tasks of the source; undefined of one that says nothing of a capture */
export function summarizeObjects(store: StoreUrl, reports: Reports, objects: readonly Buffer[]): CaptureSeen {
  const found = new StoredRequests();
  const problems: string[] = [];
  for (const object of objects) {
    try {
      for (const line of gunzipSync(object).toString().trimEnd().split('\n')) found.add(parseExportLine(line));
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  return { ...summarize(store, reports, found, problems), objects: objects.length };
}

/** The same of a topic. */
export async function summarizeStreams(
  store: StoreUrl,
  reports: Reports,
  streams: AsyncIterable<TrafficStream>,
): Promise<CaptureSeen> {
  const found = new StoredRequests();
  const problems: string[] = [];
  let messages = 0;
  try {
    for await (const stream of streams) {
      found.add(stream);
      messages += 1;
    }
  } catch (error) {
    problems.push((error as Error).message);
  }
  return { ...summarize(store, reports, found, problems), messages };
}

function summarize(
  store: StoreUrl,
  reports: Reports,
  found: StoredRequests,
  problems: readonly string[],
): Omit<CaptureSeen, 'objects' | 'messages'> {
  const known = reports.filter((report) => report !== undefined);
  const [problem] = problems;
  return {
    ...known.reduce(addCaptures, NO_CAPTURE),
    store: formatStoreUrl(store),
    stored: found.count(),
    unreadable: problems.length,
    ...(problem !== undefined && { problem }),
    silentTasks: reports.length - known.length,
  };
}

/** Each counts once, however often it was written. */
class StoredRequests {
  private readonly requests = new Set<string>();
  private readonly dropped = new Set<string>();

  add({ connectionId, priorRequests, observations }: TrafficStream): void {
    const id = `${connectionId}.${priorRequests}`;
    for (const { kind } of observations) {
      if (kind === 'read') this.requests.add(id);
      if (kind === 'dropped') this.dropped.add(id);
    }
  }

  count(): number {
    return [...this.requests].filter((id) => !this.dropped.has(id)).length;
  }
}

/** What is not as it should be of a capture, in words; none where all is. */
export function listCaptureProblems(seen: CaptureSeen): string[] {
  const { unrecorded, lost, recorded, stored, unreadable, problem, pendingBytes } = seen;
  return [
    ...(unrecorded > 0 ? [`${unrecorded} requests that change something were forwarded without a record`] : []),
    ...(lost > 0 ? [`${lost} records were lost`] : []),
    ...(stored < recorded ? [`${recorded} requests must be in the store, got ${stored}`] : []),
    ...(unreadable > 0
      ? [
          `${seen.messages === undefined ? `${unreadable} objects` : 'the topic'} of the capture cannot be read: ${problem}`,
        ]
      : []),
    ...(pendingBytes > 0 ? [`${pendingBytes} bytes of the capture were never written`] : []),
  ];
}
