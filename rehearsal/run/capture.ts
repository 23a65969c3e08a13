import { PART_SUFFIX } from '../../core/capture/part-name';
import { StoreUrl, parseStoreUrl } from '../../core/capture/store-url';
import { variableName } from '../../core/proxy/settings/setting-names';
import type { LocalCloud } from '../cloud/local-cloud';
import { until } from '../processes/waiting';
import { CaptureSeen, summarizeCapture } from '../report/capture-seen';
import type { StackModel } from '../template/model/stack-model';
import { readTasks } from './ledgers';

/** What is recorded is durable within a second; on a slow machine it takes its time. */
const WRITTEN_WITHIN_MS = 15_000;

type Bucket = Extract<StoreUrl, { kind: 's3' }>;

/** Where the proxies of the source record their traffic; undefined where they do not, or not to a bucket. */
export function findCaptureStore({ services, config }: StackModel): Bucket | undefined {
  const source = services.find(({ name }) => name === config.serviceNames.source);
  const store = parseStoreUrl(source?.container.environment[variableName('capture')]);
  return store?.kind === 's3' ? store : undefined;
}

/** What the proxies of the source recorded, once all of it is written. Undefined where they record nothing. */
export async function seeCapture(cloud: LocalCloud, signal: AbortSignal): Promise<CaptureSeen | undefined> {
  const store = findCaptureStore(cloud.model);
  if (store === undefined) return undefined;
  let reports = await readCaptures(cloud);
  const isWritten = () => reports.every((report) => (report?.pendingBytes ?? 0) === 0);
  const looking = new AbortController();
  const look = async () => {
    while (!isWritten() && !looking.signal.aborted) reports = await readCaptures(cloud);
  };
  const looked = look();
  // What is not written by then is said by the report.
  await until(isWritten, { withinMs: WRITTEN_WITHIN_MS, signal }).catch(() => signal.throwIfAborted());
  looking.abort();
  await looked;
  const objects = cloud.objects.list(store.bucket, store.prefix).filter(({ key }) => key.endsWith(PART_SUFFIX));
  return summarizeCapture(
    store,
    reports,
    objects.map(({ body }) => body),
  );
}

async function readCaptures(cloud: LocalCloud) {
  const tasks = await readTasks(cloud);
  return tasks.flatMap(({ home, report }) => (home === 'source' ? [report?.capture] : []));
}
