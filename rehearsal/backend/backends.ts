import type { SmokeRequest } from '../../core/plan/plan';
import type { CheckpointPlan } from '../../core/plan/state-plan';
import { parseUpstreamUrl } from '../../core/validation/upstream-url';
import { SIDES, Side } from '../../core/traffic/weights';
import { BackendOptions, startBackend } from './backend';
import { startStore } from './store';
import { FaultySide, Relay, startRelay } from './faulty-side';
import { APPLICATION_PORT, RELAY_ADDRESSES } from '../hosts/host-options';
import { Hosts, startHosts } from '../hosts/hosts';
import { findCriu } from '../hosts/requirements';
import { entryPath } from '../processes/entry';
import { LoggedWrite, StoredLine, readLog } from '../writes/write-log';
import { StoreClient } from './store-client';
import { logKey } from './writes';
import { BACKEND_HOSTS } from '../processes/loopback';
import { withinMachineTime } from '../processes/machine-time';
import { UsageError } from '../errors/usage-error';

export interface Backends {
  /** What the proxies of each side are pointed at. */
  readonly upstreams: Readonly<Record<Side, string>>;
  /** Whether they are the rehearsal's own app, which sessions, WebSockets and event streams can be checked against. */
  readonly own: boolean;
  /** Those that can be broken. */
  readonly faulty: Partial<Readonly<Record<Side, FaultySide>>>;
  /** Of a plan that moves the memory of processes. */
  readonly hosts?: Hosts | undefined;
  /** The writes of both sides, as their logs have them; none of backends that are a user's. */
  readWrites(): Promise<LoggedWrite[]>;
  stop(): Promise<void>;
}

interface BackendsOptions {
  /** Which of them are to be broken. @default - none */
  readonly broken?: readonly Side[];
  /** What the plan asks for: the rehearsal's own app responds to it as expected. */
  readonly smoke: readonly SmokeRequest[];
  readonly seed: number;
  /** Of a plan that takes state along: those of the rehearsal have it in their own memory then. */
  readonly statePath?: string | undefined;
  /** Of each side, where they do not share a store. */
  readonly valkeyUrls?: Readonly<Record<Side, string>> | undefined;
  /** Of a plan that moves the memory of processes from host to host. */
  readonly checkpoint?: CheckpointPlan | undefined;
  /** Whether each of the rehearsal's own has a loopback address of its own. */
  readonly hasOwnAddresses?: boolean;
}

const CONNECT_MS = 5_000;
const LOG_MS = 5_000;

type GivenBackends = Partial<Readonly<Record<Side, string>>>;

/** Whether a user brings backends of their own. */
export function areGiven({ source, target }: GivenBackends): boolean {
  return source !== undefined || target !== undefined;
}

/**
 * The two backends: the rehearsal's own app, or a user's by URL. What was started is stopped again when a part fails.
 *
 * @param signal spares the wait for a user's backend that does not respond
 * @throws UsageError for what is no backend URL, Error for one that does not respond
 */
export async function startBackends(
  given: GivenBackends,
  options: BackendsOptions,
  signal: AbortSignal,
): Promise<Backends> {
  const { broken = [], seed } = options;
  if (options.checkpoint && areGiven(given)) {
    throw new UsageError(
      "a plan with 'switch.state.checkpoint' moves processes of the rehearsal's own, got '--source' or '--target'",
    );
  }
  const backends = areGiven(given)
    ? await usersOwn(given, signal)
    : await (options.checkpoint ? onHosts(options.checkpoint, options.smoke) : ours(options));
  if (broken.length === 0) return backends;
  const relays: Partial<Record<Side, Relay>> = {};
  const stop = async () => {
    await Promise.all(Object.values(relays).map((relay) => relay.stop()));
    await backends.stop();
  };
  try {
    for (const side of broken) relays[side] = await startRelay({ side, url: backends.upstreams[side], seed });
  } catch (error) {
    await stop();
    throw error;
  }
  const findUrl = (side: Side) => relays[side]?.url ?? backends.upstreams[side];
  return { ...backends, upstreams: { source: findUrl('source'), target: findUrl('target') }, faulty: relays, stop };
}

async function ours({ smoke, statePath, valkeyUrls, hasOwnAddresses = false }: BackendsOptions): Promise<Backends> {
  const store = await startStore();
  const findHost = (side: Side) => (hasOwnAddresses ? { host: BACKEND_HOSTS[side] } : {});
  const starts = await Promise.allSettled(
    SIDES.map((side) =>
      startBackend({
        ...findHost(side),
        side,
        storeUrl: store.url,
        smoke,
        ...(statePath !== undefined && { statePath }),
        ...(valkeyUrls && { valkeyUrl: valkeyUrls[side] }),
      }),
    ),
  );
  const [source, target] = starts.map((start) => (start.status === 'fulfilled' ? start.value : undefined));
  const stop = async () => {
    await Promise.all([source?.stop(), target?.stop()]);
    await store.stop();
  };
  if (!source || !target) {
    await stop();
    throw starts.find((start) => start.status === 'rejected')?.reason;
  }
  const readWrites = () => readLogs(store.url);
  return {
    upstreams: { source: source.url, target: target.url },
    own: true,
    faulty: {},
    readWrites,
    stop,
  };
}

/** All that they keep is in their memory. */
async function onHosts(plan: CheckpointPlan, smoke: readonly SmokeRequest[]): Promise<Backends> {
  const options: BackendOptions = { side: 'source', addresses: RELAY_ADDRESSES, port: APPLICATION_PORT, smoke };
  const application = [process.execPath, entryPath('backend/app'), JSON.stringify(options)];
  const hosts = await startHosts({ criu: findCriu(), plan, application });
  const { urls: upstreams, stop } = hosts;
  return { upstreams, own: true, faulty: {}, hosts, readWrites: () => readFromMemory(Object.values(upstreams)), stop };
}

/** One that was left is stopped, and does not respond; of a write that two remember the later line is as good as the first. */
async function readFromMemory(urls: readonly string[]): Promise<LoggedWrite[]> {
  const read = async (url: string, side: Side) => {
    const response = await fetch(`${url}/writes/${side}`, { signal: AbortSignal.timeout(LOG_MS) });
    return readLog(side, (await response.json()) as StoredLine[]);
  };
  const logs = await Promise.allSettled(urls.flatMap((url) => SIDES.map((side) => read(url, side))));
  const writes = logs.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  return [...new Map(writes.map((write) => [`${write.side} ${write.number}`, write])).values()];
}

async function usersOwn(given: GivenBackends, signal: AbortSignal): Promise<Backends> {
  const upstreams = { source: backendUrl('source', given.source), target: backendUrl('target', given.target) };
  await Promise.all(SIDES.map((side) => mustRespond(side, upstreams[side], signal)));
  return {
    upstreams,
    own: false,
    faulty: {},
    readWrites: () => Promise.resolve([]),
    stop: () => Promise.resolve(),
  };
}

/** The writes of both sides, from the store that they share. */
export async function readLogs(storeUrl: string): Promise<LoggedWrite[]> {
  const store = await StoreClient.open(storeUrl);
  try {
    const logs = await Promise.all(SIDES.map(async (side) => readLog(side, await store.readLog(logKey(side)))));
    return logs.flat();
  } finally {
    store.close();
  }
}

function backendUrl(side: Side, value: string | undefined): string {
  if (value === undefined || !parseUpstreamUrl(value)) {
    throw new UsageError(
      `'--${side}' must be http(s)://host[:port], and both sides must be given, got ${value === undefined ? 'nothing' : `'${value}'`}`,
    );
  }
  return new URL(value).origin;
}

/** Any response will do: what status is right is the plan's affair. */
async function mustRespond(side: Side, url: string, signal: AbortSignal): Promise<void> {
  try {
    await withinMachineTime(CONNECT_MS, async (late) => {
      const limit = AbortSignal.any([signal, late]);
      await (await fetch(url, { signal: limit, redirect: 'manual' })).body?.cancel();
    });
  } catch (error) {
    const { cause, message } = error as Error;
    const reason =
      (cause as NodeJS.ErrnoException | undefined)?.code ?? (cause as Error | undefined)?.message ?? message;
    throw new Error(`the backend of '--${side}' must respond, got ${reason} from ${url}`);
  }
}
