import type { Evidence } from '../../core/cutover/evidence';
import { Plan } from '../../core/plan/plan';
import { adoptStepByStep } from './adoption';
import { askApplications } from '../cloud/application-view';
import { clientsCome, tellClients } from './clients';
import { Observer } from './observer';
import { readBackWeights } from './read-back';
import { recovered } from '../cloud/recovery';
import { redeployInBake } from './redeploy-in-bake';
import type { RehearsalOptions } from './rehearse';
import { Picture, rehearsalEvidence, withoutEvidence } from '../report/evidence';
import type { Screen } from '../progress/progress-reporter';
import type { ExecutionDescription } from '../state-machine/model';
import type { Standing } from '../cloud/running-rehearsal';
import { TrafficRates } from '../traffic/options';
import { Traffic, startTraffic } from '../traffic/traffic';
import { until, waitFor } from '../processes/waiting';
import { World } from '../cloud/local-cloud';

const CONNECTED_WITHIN_MS = 60_000;
/** After the last step clients go on for a moment, so that the new state of things is tried too. */
const AFTERWARDS_MS = 1_000;

/**
 * Runs one cutover of a standing world under traffic, and returns what it left.
 *
 * @throws Error when the world breaks, the signal's reason
 */
export async function cutOver(
  standing: Standing,
  options: RehearsalOptions,
  screen: Screen,
  stopped: AbortSignal,
): Promise<Picture> {
  const { world, plan } = standing;
  const signal = AbortSignal.any([stopped, standing.broken]);
  const adoption = await adoptStepByStep(standing, trafficOptions(standing), screen, signal);
  const applicationSees = await askApplications(standing, trafficOptions(standing));
  tellClients(standing, screen);
  if (options.waitForClients === true) await clientsCome(world, screen, signal);
  const traffic = await startTraffic(trafficOptions(standing));
  let execution: ExecutionDescription | undefined;
  const observer = new Observer(
    standing,
    traffic,
    () => execution,
    (sample) => screen.progress(sample),
  );
  try {
    await until(() => isConnected(traffic, standing), {
      withinMs: CONNECTED_WITHIN_MS,
      signal,
      complaint: () => connections(traffic, standing),
    });
    traffic.mark();
    execution = world.states.start(world.blueprint.machine.arn, `rehearsal-${Date.now()}`, '{}');
    screen.step(`cutover '${execution.name}' started`);
    const running = execution;
    // Either may fail, at any time.
    const [redeployed] = await Promise.all([
      redeployInBake(world, { ...options, running, screen, signal }),
      until(() => running.status !== 'RUNNING', { signal }),
    ]);
    if (running.status !== 'SUCCEEDED' && running.status !== 'FAILED') {
      screen.step(`the execution ended as ${running.status}, past every Catch: waiting for recover`);
    }
    const recovery = await recovered(world, running, signal);
    await waitFor(AFTERWARDS_MS, signal);
    screen.step('waiting until every message is answered');
    await observer.stop();
    const evidence = rehearsalEvidence(evidenceOf(world, running, plan), {
      finalWeights: await readBackWeights(world),
      traffic: await traffic.stop(),
      ownClients: world.counts.ownClients?.tally(),
      rehearsal: {
        ...asked(options),
        ...soFar(standing, running),
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

/** How it was run. */
function asked({ app, command, version, seed, speed, traffic, fault }: RehearsalOptions) {
  return { app, command, version, seed, speed, traffic, ...(fault && { fault }) };
}

function soFar({ world, startedMs }: Standing, { startedAt }: ExecutionDescription) {
  return { seconds: (Date.now() - startedMs) / 1000, weights: world.weights.since(startedAt.getTime()) };
}

export function trafficOptions({
  world,
  backends,
  plan,
  rates,
  isHttp2Only,
}: Standing): Parameters<typeof startTraffic>[0] {
  const { wiring, elb } = world.blueprint;
  return {
    origin: `https://${wiring.domainName}`,
    connectTo: { host: '127.0.0.1', port: elb.listener(wiring.weightedListenerArn).port },
    ca: world.certificate.cert,
    rates,
    isHttp2Only,
    hasOwnAddresses: world.options.hasLoopbackNetwork,
    ...(!backends.own && { paths: plan.smoke }),
  };
}

/** Short-lived WebSockets are between two connections now and then. */
const CONNECTED_SHARE = 0.95;

function isConnected(traffic: Traffic, { backends, rates }: Standing): boolean {
  const seen = traffic.snapshot();
  if (!seen) return false;
  if (!backends.own) return seen.http.sent > 0;
  const { websocket, serverSentEvents } = seen.live;
  const least = leastOf(rates);
  return websocket >= least.webSockets && serverSentEvents >= least.eventStreams && seen.http.ok > 0;
}

function leastOf({ webSockets, eventStreams }: TrafficRates): { webSockets: number; eventStreams: number } {
  return {
    webSockets: Math.floor(webSockets * CONNECTED_SHARE),
    eventStreams: Math.floor(eventStreams * CONNECTED_SHARE),
  };
}

function connections(traffic: Traffic, { backends, rates }: Standing): string {
  const { http, live, failures = [] } = traffic.snapshot() ?? {};
  const within = `within ${CONNECTED_WITHIN_MS / 1000} s`;
  const [first] = failures;
  const because = first === undefined ? '' : ` (${first})`;
  if (!backends.own) return `'requests' must be at least 1 ${within}, got ${http?.sent ?? 0}${because}`;
  const got = `${live?.websocket ?? 0}, ${live?.serverSentEvents ?? 0} and ${http?.ok ?? 0}`;
  const least = leastOf(rates);
  return (
    `live WebSockets, event streams and right answers must be at least ` +
    `${least.webSockets}, ${least.eventStreams} and 1 ${within}, got ${got}${because}`
  );
}

function evidenceOf(world: World, execution: ExecutionDescription, plan: Plan): Evidence {
  const bucket = world.blueprint.wiring.storeBucket;
  const object = world.objects.find(bucket, `evidence/${execution.name}.json`);
  return object ? (JSON.parse(object.body.toString()) as Evidence) : withoutEvidence(execution, plan);
}
