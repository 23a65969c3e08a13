import { readKafka } from '../../capture/kafka/kafka-source';
import { PART_SUFFIX } from '../../core/capture/part-name';
import { KafkaUrl, StoreUrl, parseStoreUrl } from '../../core/capture/store-url';
import type { TrafficStream } from '../../core/capture/traffic-stream';
import { variableName } from '../../core/proxy/settings/setting-names';
import type { LocalCloud } from '../cloud/local-cloud';
import { UsageError } from '../errors/usage-error';
import { OwnBroker, startOwnBroker } from '../kafka/own-broker';
import { checkBroker } from '../kafka/requirements';
import { until } from '../processes/waiting';
import type { ProgressReporter } from '../progress/progress-reporter';
import { CaptureSeen, summarizeObjects, summarizeStreams } from '../report/capture-seen';
import { findCaptureStore } from '../template/model/capture-store';
import type { StackModel } from '../template/model/stack-model';
import type { CaptureName } from './capture-name';
import { readTasks } from './ledgers';

/** What is recorded is durable within a second; on a slow machine it takes its time. */
const WRITTEN_WITHIN_MS = 15_000;

type Bucket = Extract<StoreUrl, { kind: 's3' }>;
const VARIABLE = variableName('capture');
const FACTORIES: Readonly<Record<CaptureName, string>> = { s3: 'toBucket', kafka: 'toStream' };

/**
 * A broker of the rehearsal's own where that is asked for: one of the template is none of this machine.
 *
 * @returns what names the store of the source; undefined for that of the template
 */
export async function startCaptureStore(
  model: StackModel,
  asked: CaptureName | undefined,
  reporter: ProgressReporter,
): Promise<OwnBroker | undefined> {
  const store = findCaptureStore(model);
  if (asked !== 'kafka' || !store) return undefined;
  reporter.step('starting a broker of Kafka, for what the source records');
  return startOwnBroker(store);
}

/**
 * At AWS it takes another deployment to record: the proxies need the right to write to the store.
 *
 * @throws UsageError for what was asked for and cannot be
 */
export function checkCapture(model: StackModel, asked: CaptureName | undefined): void {
  const store = findCaptureStore(model);
  const name = model.config.serviceNames.source;
  if (store?.kind === 'kafka' && asked !== 'kafka') {
    throw new UsageError(
      `'--capture' must be kafka for the service '${name}', which records to a topic: a rehearsal has no other broker than its own, got ${asked ?? 'nothing'}`,
    );
  }
  if (asked === undefined) return;
  if (store?.kind === 's3' || (store && asked === 'kafka')) return asked === 'kafka' ? checkBroker() : undefined;
  throw new UsageError(
    `the service '${name}' must be synthesized with TrafficCapture.${FACTORIES[asked]} for '--capture ${asked}', got one without ` +
      `${VARIABLE}; the app of this package takes it from the context: cdk synth --context drainshift:capture=${asked}`,
  );
}

/** What the proxies of the source recorded, once all of it is written. Undefined where they record nothing. */
export async function seeCapture(
  cloud: LocalCloud,
  captureStore: string | undefined,
  signal: AbortSignal,
): Promise<CaptureSeen | undefined> {
  const store = parseStoreUrl(captureStore) ?? findCaptureStore(cloud.model);
  // A folder is none of this machine's: its proxies say that themselves.
  if (store === undefined || store.kind === 'path') return undefined;
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
  return store.kind === 's3'
    ? summarizeObjects(store, reports, listObjects(cloud, store))
    : summarizeStreams(store, reports, readTopic(store, signal));
}

function listObjects(cloud: LocalCloud, { bucket, prefix }: Bucket): Buffer[] {
  const objects = cloud.objects.list(bucket, prefix).filter(({ key }) => key.endsWith(PART_SUFFIX));
  return objects.map(({ body }) => body);
}

/** All that is in it by now. */
async function* readTopic(store: KafkaUrl, signal: AbortSignal): AsyncGenerator<TrafficStream> {
  const warn = () => undefined;
  const { read } = readKafka(store, { createToken: () => Promise.reject(new Error('the broker asks for no token')) });
  for await (const { records } of read({ signal, follow: false, warn })) for (const { stream } of records) yield stream;
}

async function readCaptures(cloud: LocalCloud) {
  const tasks = await readTasks(cloud);
  return tasks.flatMap(({ home, report }) => (home === 'source' ? [report?.capture] : []));
}
