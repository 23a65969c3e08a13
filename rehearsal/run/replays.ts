import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StoreUrl, formatStoreUrl, parseStoreUrl } from '../../core/capture/store-url';
import { signalChild } from '../../core/errors/signals';
import type { Plan } from '../../core/plan/plan';
import { findGateReplay, findReplay } from '../../core/plan/replay-plan';
import { findReplayGaps } from '../../core/replay/replay-gate';
import { variableName } from '../../core/proxy/settings/setting-names';
import { parseReplayStatus, replayStatusKey } from '../../core/replay/replay-status';
import { SIDES, Side } from '../../core/traffic/weights';
import type { LocalCloud } from '../cloud/local-cloud';
import { OPERATOR_KEY_ID } from '../cloud/operator-key';
import { UsageError } from '../errors/usage-error';
import { until } from '../processes/waiting';
import type { ProgressReporter } from '../progress/progress-reporter';
import { awsEnvironment } from '../tasks/aws-environment';

/** A replay that a plan waits for: it sends the other side what this one has served. */
interface PlannedReplay {
  readonly name: string;
  readonly servedBy: Side;
  /** Whether the responses of the other side are compared. */
  readonly compares: boolean;
  /** For a stage alone, and not for a switch. */
  readonly isOfGate: boolean;
}

/** The verdict is in the status. */
const COMPARED = '/dev/null';
const SAFE_METHODS = 'GET,HEAD,OPTIONS';
const METHODS = 'POST,PUT,PATCH,DELETE';
const STARTED_WITHIN_MS = 120_000;
const PROVEN_WITHIN_MS = 300_000;
const STOP_MS = 15_000;
const VARIABLE = variableName('capture');

/** Each once, by its name. */
function listReplays({ switch: switching, capture, from = 'source' }: Plan): PlannedReplay[] {
  const gate = capture?.replay;
  const compared = gate?.comparison === 'promote' ? gate.name : undefined;
  const ofSwitch = SIDES.flatMap((to): PlannedReplay[] => {
    const name = switching?.replay && findReplay(switching.replay, to);
    return name === undefined ? [] : [{ name, servedBy: otherSide(to), compares: compared === name, isOfGate: false }];
  });
  const ofGate = gate ? [{ name: gate.name, servedBy: from, compares: compared !== undefined, isOfGate: true }] : [];
  return [...ofSwitch, ...ofGate.filter(({ name }) => !ofSwitch.some((each) => each.name === name))];
}

/**
 * Starts the replays that the plan waits for, as `drainshift replay` would run them at AWS.
 *
 * @returns what stops them
 * @throws UsageError where a side records nothing that could be replayed
 */
export async function startReplays(
  {
    plan,
    upstreams,
    captureStore,
    source,
    ignore = [],
  }: {
    readonly plan: Plan;
    readonly upstreams: Readonly<Record<Side, string>>;
    readonly captureStore: string | undefined;
    /** That of the user, in place of the rehearsal's own. */
    readonly source?: string | undefined;
    /** Fields that are not compared. */
    readonly ignore?: readonly string[] | undefined;
  },
  cloud: LocalCloud,
  reporter: ProgressReporter,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const running = listReplays(plan).map((replay) => {
    const { name, servedBy, compares, isOfGate } = replay;
    const from = parseStoreUrl(captureStore) ?? findStore(cloud, servedBy, name);
    reporter.step(`starting the replay '${name}': what the ${servedBy} serves goes to the ${otherSide(servedBy)}`);
    const to = upstreams[otherSide(servedBy)];
    const repeatOn = upstreams[servedBy];
    // The backends of the rehearsal have one store: a write that is replayed would be there twice.
    const safe = source === undefined && isOfGate ? SAFE_METHODS : undefined;
    const methods = safe ?? (compares ? undefined : METHODS);
    return startReplay({ ...replay, methods, from, to, repeatOn, ignore }, cloud, reporter);
  });
  const stop = async () => void (await Promise.all(running.map((each) => each.stop())));
  try {
    const { storeBucket } = cloud.model.config;
    for (const { name, ended } of running) {
      const hasStarted = () => cloud.objects.find(storeBucket, replayStatusKey(name)) !== undefined;
      await Promise.race([until(hasStarted, { withinMs: STARTED_WITHIN_MS, signal }), ended]);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

/**
 * Waits until the replay that the stages of the plan wait for is near enough, and its comparison says that the target may be promoted:
 * preflight would reject the cutover before. What does not pass is preflight's to say.
 */
export async function waitForProof(
  { plan, cloud }: { readonly plan: Plan; readonly cloud: LocalCloud },
  reporter: ProgressReporter,
  signal: AbortSignal,
): Promise<void> {
  const [gate] = findGateReplay(plan);
  if (!gate) return;
  const { name, limits } = gate;
  const key = replayStatusKey(name);
  const find = () => {
    const text = cloud.objects.find(cloud.model.config.storeBucket, key)?.body.toString();
    return text === undefined ? undefined : parseReplayStatus(text, key);
  };
  const verdictToo = limits.needsVerdict === true ? ', and its comparison has a verdict' : '';
  reporter.step(`waiting until the replay '${name}' has followed the ${limits.servedBy}${verdictToo}`);
  const findGaps = () => findReplayGaps(name, find(), limits, Date.now());
  const isOver = () => {
    const gaps = findGaps();
    // A lag that is small says little before the first of them is sent.
    const hasProof = gaps.length === 0 && (find()?.sent ?? 0) > 0;
    return hasProof || gaps.some(({ isLasting }) => isLasting);
  };
  const withinMs = PROVEN_WITHIN_MS + 1_000 * (limits.forSeconds ?? 0);
  await until(isOver, { withinMs, signal }).catch(() => signal.throwIfAborted());
  const [gap] = findGaps();
  const { sent = 0, verdict } = find() ?? {};
  const compared = verdict === undefined ? '' : `; verdict of its comparison: ${verdict}`;
  reporter.step(gap?.message ?? `the replay '${name}' has sent ${sent} requests${compared}`);
}

function findStore({ model: { services, config } }: LocalCloud, side: Side, name: string): StoreUrl {
  const service = services.find((each) => each.name === config.serviceNames[side]);
  const store = parseStoreUrl(service?.container.environment[VARIABLE]);
  if (store) return store;
  throw new UsageError(
    `the proxies of the ${side} must record their traffic (${VARIABLE}) for the replay '${name}' of the plan, got a template without it`,
  );
}

interface StartedReplay {
  readonly name: string;
  /** Rejects when it ends before it is stopped. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

type AskedReplay = PlannedReplay & {
  readonly from: StoreUrl;
  readonly to: string;
  readonly repeatOn: string;
  readonly methods: string | undefined;
  readonly ignore: readonly string[];
};

/** How it sends, and what it compares. */
function listFlags({ compares, repeatOn, methods, ignore }: AskedReplay): string[] {
  const order = [
    '--follow',
    '--speed',
    'max',
    '--key',
    'all',
    ...(methods === undefined ? [] : ['--methods', methods]),
  ];
  // What differs between two responses of one side is noise.
  const noise = ['--repeat-on', repeatOn, '--repeat-share', '0.2'];
  const comparing = compares
    ? ['--compare', COMPARED, ...noise, ...ignore.flatMap((field) => ['--ignore', field])]
    : [];
  return [...order, ...comparing];
}

function startReplay(replay: AskedReplay, cloud: LocalCloud, reporter: ProgressReporter): StartedReplay {
  const { name, servedBy, from, to } = replay;
  const { storeBucket } = cloud.model.config;
  const status = `s3://${storeBucket}/${replayStatusKey(name)}`;
  const ends = ['--from', formatStoreUrl(from), '--served-by', servedBy, '--to', to, '--status', status];
  const account = { region: cloud.model.stack.region, endpointUrl: cloud.endpoint.url };
  const child = spawn(process.execPath, [cliPath(), 'replay', ...ends, ...listFlags(replay), '--parked', '/dev/null'], {
    env: { ...process.env, ...awsEnvironment(account, OPERATOR_KEY_ID) },
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const { processes } = cloud;
  if (child.pid !== undefined) processes.started(child.pid);
  child.stderr.on('data', (chunk) => processes.log.write(chunk));
  let isStopping = false;
  const gone = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('exit', (code, killedBy) => resolve(killedBy ?? `exit code ${code}`));
  });
  const ended = gone.then((how) => {
    if (child.pid !== undefined) processes.ended(child.pid);
    const message = `the replay '${name}' must run until the rehearsal ends, got ${how} (log: ${cloud.logFile})`;
    if (!isStopping) reporter.step(message);
    throw new Error(message);
  });
  ended.catch(() => undefined);
  const stop = async () => {
    isStopping = true;
    const kill = setTimeout(() => signalChild(child, 'SIGKILL'), STOP_MS);
    signalChild(child, 'SIGTERM');
    await gone;
    clearTimeout(kill);
  };
  return { name, ended, stop };
}

/** The compiled command line, whether this file runs compiled or as TypeScript in a test. */
function cliPath(): string {
  const root = join(__dirname, '..', '..');
  const path = join(__filename.endsWith('.js') ? root : join(root, 'dist'), 'bin', 'drainshift.js');
  if (!existsSync(path)) throw new Error(`the command line must be built first (npm run build), got no file ${path}`);
  return path;
}

function otherSide(side: Side): Side {
  return side === 'source' ? 'target' : 'source';
}
