import { gunzipSync } from 'node:zlib';
import { CaptureReport, NO_CAPTURE, addCaptures } from '../../core/capture/capture-report';
import { parseExportLine } from '../../core/capture/export-line';
import type { StoreUrl } from '../../core/capture/store-url';
import { formatStoreUrl } from '../../core/capture/store-url';

/** What was recorded in a rehearsal: as the proxies count it, and as it stands in the store. */
export interface CaptureSeen extends CaptureReport {
  readonly store: string;
  readonly objects: number;
  /** Requests in these objects, each counted once, without those that say that they were not forwarded. */
  readonly stored: number;
  /** Objects that could not be read; the first says why. */
  readonly unreadable: number;
  readonly problem?: string;
  /** Tasks of the source that did not say what they recorded. */
  readonly silentTasks: number;
}

/** @param reports of the tasks of the source; undefined of one that says nothing of a capture */
export function summarizeCapture(
  store: StoreUrl,
  reports: readonly (CaptureReport | undefined)[],
  objects: readonly Buffer[],
): CaptureSeen {
  const known = reports.filter((report) => report !== undefined);
  const requests = new Set<string>();
  const dropped = new Set<string>();
  const problems: string[] = [];
  for (const object of objects) {
    try {
      readObject(object, requests, dropped);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  const [problem] = problems;
  return {
    ...known.reduce(addCaptures, NO_CAPTURE),
    store: formatStoreUrl(store),
    objects: objects.length,
    stored: [...requests].filter((id) => !dropped.has(id)).length,
    unreadable: problems.length,
    ...(problem !== undefined && { problem }),
    silentTasks: reports.length - known.length,
  };
}

function readObject(object: Buffer, requests: Set<string>, dropped: Set<string>): void {
  for (const line of gunzipSync(object).toString().trimEnd().split('\n')) {
    const { connectionId, priorRequests, observations } = parseExportLine(line);
    const id = `${connectionId}.${priorRequests}`;
    for (const { kind } of observations) {
      if (kind === 'read') requests.add(id);
      if (kind === 'dropped') dropped.add(id);
    }
  }
}

/** What is not as it should be of a capture, in words; none where all is. */
export function listCaptureProblems(seen: CaptureSeen): string[] {
  const { unrecorded, lost, recorded, stored, unreadable, problem, pendingBytes } = seen;
  return [
    ...(unrecorded > 0 ? [`${unrecorded} requests that change something were forwarded without a record`] : []),
    ...(lost > 0 ? [`${lost} records were lost`] : []),
    ...(stored < recorded ? [`${recorded} requests must be in the store, got ${stored}`] : []),
    ...(unreadable > 0 ? [`${unreadable} objects of the capture cannot be read: ${problem}`] : []),
    ...(pendingBytes > 0 ? [`${pendingBytes} bytes of the capture were never written`] : []),
  ];
}
