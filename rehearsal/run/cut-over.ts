import { Evidence, withLooks } from '../../core/cutover/evidence';
import { looksKey } from '../../core/cutover/looks';
import type { LookRecord } from '../../core/judge/look-record';
import { Plan } from '../../core/plan/plan';
import { adoptStepByStep } from './adoption';
import { seeCapture } from './capture';
import { askApplications } from '../cloud/application-view';
import { clientsCome, tellClients } from './clients';
import { minShare } from './enough-requests';
import { Observer } from './observer';
import { SwitchWatcher } from './switch-watcher';
import { readBackWeights } from './read-back';
import { recovered } from '../cloud/recovery';
import { redeployInBake } from './redeploy-in-bake';
import type { RehearsalOptions } from './rehearse';
import { waitForProof } from './replays';
import { countEarlyRequests, tellEarlyProblems } from './scenario';
import { Report, rehearsalEvidence, withoutEvidence } from '../report/evidence';
import { SwitchSeen, summarizeSwitch } from '../report/switch-seen';
import type { ProgressReporter } from '../progress/progress-reporter';
import type { ExecutionDescription } from '../state-machine/model';
import type { PlannedFault, RunningRehearsal } from '../cloud/running-rehearsal';
import { TrafficRates } from '../traffic/options';
import { Traffic, startTraffic } from '../traffic/traffic';
import { until, waitFor } from '../processes/waiting';
import { LocalCloud } from '../cloud/local-cloud';

const CONNECTED_WITHIN_MS = 60_000;
/** After the last step clients go on for a moment, so that the new state of things is tried too. */
const AFTERWARDS_MS = 1_000;

/**
 * Runs one cutover of a running local cloud under traffic, and returns what it left.
 *
 * @throws Error when the local cloud breaks, the signal's reason
 */
export async function cutOver(
  running: RunningRehearsal,
  options: RehearsalOptions,
  reporter: ProgressReporter,
  stopped: AbortSignal,
): Promise<Report> {
  const { cloud, plan } = running;
  const signal = AbortSignal.any([stopped, running.broken]);
  const adoption = await adoptStepByStep(running, trafficOptions(running), reporter, signal);
  const applicationSees = await askApplications(running, trafficOptions(running));
  tellClients(running, reporter, options.open);
  if (options.waitForClients === true) await clientsCome(cloud, reporter, signal);
  const traffic = await startTraffic(trafficOptions(running));
  if (running.fault) running.fault.stopTraffic = () => traffic.pause();
  let execution: ExecutionDescription | undefined;
  const observer = observe(running, traffic, () => execution, reporter);
  try {
    await connected(traffic, running, reporter, signal);
    begin(traffic, reporter);
    execution = cloud.states.start(cloud.model.machine.arn, `rehearsal-${Date.now()}`, '{}');
    reporter.step(`cutover '${execution.name}' started`);
    const started = execution;
    // Either may fail, at any time.
    const [redeployed] = await Promise.all([
      redeployInBake(cloud, { ...options, running: started, reporter, signal }),
      until(() => started.status !== 'RUNNING', { signal }),
    ]);
    if (started.status !== 'SUCCEEDED' && started.status !== 'FAILED') {
      reporter.step(`the execution ended as ${started.status}, past every Catch: waiting for recover`);
    }
    running.fault?.finish();
    const recovery = await recovered(cloud, started, signal);
    await waitFor(AFTERWARDS_MS, signal);
    reporter.step('waiting until every message has its response');
    await observer.stop();
    const finalWeights = await readBackWeights(cloud);
    const tally = await traffic.stop();
    const left = buildEvidence(cloud, started, plan);
    const evidence = rehearsalEvidence(left, {
      finalWeights,
      traffic: tally,
      switchSeen: await seeSwitch(running, traffic, left),
      captureSeen: await seeCapture(cloud, running.captureStore, signal),
      recordingSeen: traffic.recording(),
      ownClients: cloud.counts.ownClients?.tally(),
      rehearsal: {
        ...asked(options),
        ...(running.fault && describeFault(running.fault, started)),
        ...soFar(running, started),
        ...(applicationSees && { applicationSees }),
        ...(recovery && { recovery }),
        ...(redeployed && { redeploy: redeployed }),
        ...(adoption && { adoption }),
      },
    });
    return { evidence, samples: observer.samples };
  } catch (error) {
    await Promise.allSettled([observer.stop(), traffic.stop()]);
    throw error;
  }
}

function observe(
  running: RunningRehearsal,
  traffic: Traffic,
  execution: () => ExecutionDescription | undefined,
  reporter: ProgressReporter,
): Pick<Observer, 'samples' | 'stop'> {
  const observer = new Observer(running, traffic, execution, (sample) => reporter.progress(sample));
  const ofSwitch = running.plan.switch && new SwitchWatcher(running.cloud, execution, reporter);
  const stop = async () => void (await Promise.all([observer.stop(), ofSwitch?.stop()]));
  return { samples: observer.samples, stop };
}

/** What the clients wrote down, beside the logs of both sides. */
async function seeSwitch(
  { backends, plan }: RunningRehearsal,
  traffic: Traffic,
  { switches = [] }: Evidence,
): Promise<SwitchSeen | undefined> {
  const record = traffic.record();
  if (!record || !plan.switch) return undefined;
  return summarizeSwitch({ ...record, log: await backends.readWrites() }, switches, Date.now());
}

/** How it was run. */
function asked({ app, command, version, seed, speed, traffic }: RehearsalOptions) {
  return { app, command, version, seed, speed, traffic };
}

function describeFault({ name, beganMs }: PlannedFault, { startedAt }: ExecutionDescription) {
  return { fault: name, ...(beganMs !== undefined && { faultBeganSeconds: (beganMs - startedAt.getTime()) / 1000 }) };
}

function soFar({ cloud, startedMs }: RunningRehearsal, { startedAt }: ExecutionDescription) {
  return { seconds: (Date.now() - startedMs) / 1000, weights: cloud.weights.since(startedAt.getTime()) };
}

export function trafficOptions({
  cloud,
  backends,
  plan,
  rates,
  isHttp2Only,
  scenario,
  recording,
}: RunningRehearsal): Parameters<typeof startTraffic>[0] {
  const { config, elb } = cloud.model;
  return {
    origin: `https://${config.domainName}`,
    connectTo: { host: '127.0.0.1', port: elb.listener(config.weightedListenerArn).port },
    ca: cloud.certificate.cert,
    rates,
    minShare: minShare(plan, rates),
    isHttp2Only,
    hasOwnAddresses: cloud.hasLoopbackNetwork,
    ...(!backends.own && { paths: plan.smoke }),
    ...(scenario && { scenario }),
    ...(recording && { recording: { ...recording, sourceUrl: backends.upstreams.source } }),
  };
}

/** And what they get has proven the target, where the plan asks for that. */
async function connected(
  traffic: Traffic,
  running: RunningRehearsal,
  reporter: ProgressReporter,
  signal: AbortSignal,
): Promise<void> {
  await until(() => isConnected(traffic, running), {
    withinMs: CONNECTED_WITHIN_MS,
    signal,
    problem: () => connections(traffic, running),
    progress: () => countConnected(traffic),
  });
  await waitForProof(running, reporter, signal);
}

/** What was measured of the arrival says nothing, and what was wrong in it says much. */
function begin(traffic: Traffic, reporter: ProgressReporter): void {
  tellEarlyProblems(traffic.snapshot()?.entries, reporter);
  traffic.mark();
}

/** Short-lived WebSockets are between two connections now and then. */
const CONNECTED_SHARE = 0.95;

function isConnected(traffic: Traffic, { backends, rates, scenario }: RunningRehearsal): boolean {
  const seen = traffic.snapshot();
  if (!seen) return false;
  if (!backends.own && !scenario) return seen.http.sent > 0;
  const { websocket, serverSentEvents } = seen.live;
  const min = findMin(rates);
  const hasCome = scenario === undefined || seen.http.sent >= countEarlyRequests(scenario);
  return websocket >= min.webSockets && serverSentEvents >= min.eventStreams && seen.http.ok > 0 && hasCome;
}

/** What a slow machine still has to reach; each that is there is a step. */
function countConnected(traffic: Traffic): number {
  const { live, http } = traffic.snapshot() ?? {};
  return (live?.websocket ?? 0) + (live?.serverSentEvents ?? 0) + Math.min(1, http?.ok ?? 0);
}

function findMin({ webSockets, eventStreams }: TrafficRates): { webSockets: number; eventStreams: number } {
  return {
    webSockets: Math.floor(webSockets * CONNECTED_SHARE),
    eventStreams: Math.floor(eventStreams * CONNECTED_SHARE),
  };
}

function connections(traffic: Traffic, { backends, rates, scenario }: RunningRehearsal): string {
  const { http, live, failures = [] } = traffic.snapshot() ?? {};
  const within = `within ${CONNECTED_WITHIN_MS / 1000} s`;
  const [first] = failures;
  const because = first === undefined ? '' : ` (${first})`;
  if (!backends.own && !scenario) return `'requests' must be at least 1 ${within}, got ${http?.sent ?? 0}${because}`;
  const got = `${live?.websocket ?? 0}, ${live?.serverSentEvents ?? 0} and ${http?.ok ?? 0}`;
  const min = findMin(rates);
  return (
    `live WebSockets, event streams and right responses must be at least ` +
    `${min.webSockets}, ${min.eventStreams} and 1 ${within}, got ${got}${because}`
  );
}

function buildEvidence(cloud: LocalCloud, execution: ExecutionDescription, plan: Plan): Evidence {
  const bucket = cloud.model.config.storeBucket;
  const read = (key: string) => cloud.objects.find(bucket, key)?.body.toString();
  const text = read(`evidence/${execution.name}.json`);
  if (text === undefined) return withoutEvidence(execution, plan);
  const evidence = JSON.parse(text) as Evidence;
  const { prefix = '', objects = 0 } = evidence.looksIn ?? {};
  const texts = Array.from({ length: objects }, (_, index) => read(looksKey(prefix, index + 1)));
  return withLooks(
    evidence,
    texts.map((each) => (each === undefined ? undefined : (JSON.parse(each) as LookRecord[]))),
  );
}
