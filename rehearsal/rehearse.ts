import type { Evidence } from '../core/evidence';
import { Plan } from '../core/plan';
import { SIDES, Side } from '../core/weights';
import { readAssembly } from './assembly/read';
import { approve } from './approve';
import { Backends, areGiven, startBackends } from './backends';
import { Blueprint, readBlueprint } from './blueprint/blueprint';
import { notRun } from './blueprint/custom-resources';
import { watchedAlarms } from './blueprint/outputs';
import type { Fault } from './fault';
import { Observer } from './observer';
import { rehearsedPlan } from './plan';
import { readBackWeights } from './read-back';
import { redeployInBake } from './redeploy-in-bake';
import { Picture, rehearsalEvidence, withoutEvidence } from './report/evidence';
import type { Screen } from './report/screen';
import type { ExecutionDescription } from './state-machine/model';
import { readNextStack } from './stack/next-stack';
import type { Standing } from './standing';
import { TrafficRates, http2Rates, timesRates } from './traffic/options';
import { Traffic, startTraffic } from './traffic/traffic';
import { UsageError } from './usage-error';
import { startedUnless, until, waitFor } from './waiting';
import { World } from './world';

export interface RehearsalOptions {
  /** A cloud assembly, or a folder with a `cdk.out` in it. */
  readonly app: string;
  readonly stack?: string;
  /** JSON or YAML. */
  readonly plan?: string;
  readonly source?: string;
  readonly target?: string;
  readonly fault?: Fault;
  /** Another assembly of the same app, which is deployed in the middle of the first bake. */
  readonly redeploy?: string;
  /**
   * Whether what a person has to approve at AWS is approved.
   * @default true
   */
  readonly approve?: boolean;
  /** Bakes, polls and drain deadlines are divided by it. */
  readonly speed: number;
  /** Multiplies the rates of requests and the numbers of long-lived clients. */
  readonly traffic: number;
  readonly seed: number;
  readonly ports: ReadonlyMap<number, number>;
}

/** For the backends to come up and go again, when the signal comes while they start. */
const START_GRACE_MS = 5_000;
const HEALTHY_WITHIN_MS = 60_000;
const CONNECTED_WITHIN_MS = 20_000;
/** After the last step clients go on for a moment, so that the new state of things is tried too. */
const AFTERWARDS_MS = 1_000;

/**
 * Stands up what the assembly describes.
 *
 * @throws UsageError, CutoverError `PlanInvalid`, PortTaken, Error, the signal's reason; nothing is left running then
 */
export async function standUp(options: RehearsalOptions, screen: Screen, signal: AbortSignal): Promise<Standing> {
  const startedMs = Date.now();
  const blueprint = readBlueprint(readAssembly(options.app), options.stack);
  const plan = rehearsedPlan(blueprint.machine, options.plan, options.speed);
  checkTraffic(plan, options);
  checkFault(blueprint, options);
  if (options.redeploy !== undefined) readNextStack(blueprint, readAssembly(options.redeploy, '--redeploy'));
  for (const name of notRun(blueprint.resources)) screen.step(`${name} is not run here`);
  screen.step(`stack '${blueprint.stack.name}': starting the backends`);
  const { fault, seed } = options;
  const backends = await startedUnless(
    startBackends(options, { fault, smoke: plan.smoke, seed }, signal),
    signal,
    START_GRACE_MS,
  );
  const stops: (() => Promise<void>)[] = [() => backends.stop()];
  const stop = async () => {
    for (const next of stops.splice(0).reverse()) await next();
  };
  try {
    const broken = new AbortController();
    const world: World = await World.start({
      blueprint,
      upstreams: backends.upstreams,
      ports: options.ports,
      speed: options.speed,
      onFailure: tellOnce(screen),
      seed: options.seed,
      onExecution: (execution) => {
        beginFault(options.fault, execution.entered.at(-1)?.state, backends, world);
        approve(execution, world, screen, options.approve === false);
      },
      onBroken: (reason) => broken.abort(new Error(reason)),
    });
    stops.push(() => world.stop());
    screen.step(
      `load balancer on ${listenersOf(blueprint)}; AWS endpoint on ${world.endpoint.url}; waiting for healthy targets`,
    );
    await until(() => SIDES.every((side) => isHealthy(blueprint, side)), {
      withinMs: HEALTHY_WITHIN_MS,
      signal: AbortSignal.any([signal, broken.signal]),
      complaint: () => targetStates(blueprint),
    });
    const isHttp2Only = takesHttp2Only(blueprint);
    if (isHttp2Only) screen.step('target groups of HTTP/2: all traffic is HTTP/2, and there are no WebSockets');
    const rates = timesRates(options.traffic);
    return {
      ...{ world, backends, plan, startedMs, broken: broken.signal, stop, isHttp2Only },
      rates: isHttp2Only ? http2Rates(rates) : rates,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** An HTTP/1.1 client gets 464 from a side whose group is one of HTTP/2. */
function takesHttp2Only({ elb, wiring }: Blueprint): boolean {
  return SIDES.some((side) => elb.targetGroup(wiring.targetGroupArns[side]).protocolVersion === 'HTTP2');
}

/** @throws UsageError for a fault that has nothing to work on */
function checkFault({ wiring }: Blueprint, { fault }: RehearsalOptions): void {
  if (fault !== 'alarm' || watchedAlarms(wiring).length > 0) return;
  throw new UsageError(`'--fault alarm' must have an alarm that the cutover watches, got none`);
}

/** Told of every state that is entered. */
function beginFault(fault: Fault | undefined, state: string | undefined, backends: Backends, world: World): void {
  if (state === 'Shift') backends.beginFault();
  const [alarm] = watchedAlarms(world.blueprint.wiring);
  if (fault === 'alarm' && state === 'Confirm' && alarm !== undefined) world.alarms.set(alarm, 'ALARM', 'fault: alarm');
}

/** What fails again and again in the same way is told once. */
function tellOnce(screen: Screen): (state: string, error: string, cause: string) => void {
  let last = '';
  return (state, error, cause) => {
    const [, message = cause] = /"errorMessage":"((?:[^"\\\\]|\\\\.)*)"/.exec(cause) ?? [];
    const text = `${state} failed: ${error}: ${message}`;
    if (text !== last) screen.step(text);
    last = text;
  };
}

/** A user's backends get GETs of the plan's smoke paths: without one there is no traffic, and no stage is promoted. */
function checkTraffic({ smoke }: Plan, options: RehearsalOptions): void {
  if (smoke.length > 0 || !areGiven(options)) return;
  throw new UsageError(
    `'smoke' must have at least one request when '--source' and '--target' are given, which is their traffic, got 0`,
  );
}

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
    execution = world.states.start(world.blueprint.machine.arn, `rehearsal-${Date.now()}`, JSON.stringify({ plan }));
    screen.step(`cutover '${execution.name}' started`);
    const running = execution;
    // Either may fail, at any time.
    const [redeployed] = await Promise.all([
      options.redeploy === undefined ? undefined : redeployInBake(world, options.redeploy, { running, screen, signal }),
      until(() => running.status !== 'RUNNING', { signal }),
    ]);
    await waitFor(AFTERWARDS_MS, signal);
    const finalWeights = await readBackWeights(world);
    screen.step('waiting until every message is answered');
    await observer.stop();
    const evidence = rehearsalEvidence(evidenceOf(world, running, plan), {
      traffic: await traffic.stop(),
      finalWeights,
      rehearsal: {
        app: options.app,
        seed: options.seed,
        speed: options.speed,
        traffic: options.traffic,
        seconds: (Date.now() - standing.startedMs) / 1000,
        ...(options.fault && { fault: options.fault }),
        ...(redeployed && { redeploy: redeployed }),
      },
    });
    return { evidence, samples: observer.samples };
  } catch (error) {
    await Promise.allSettled([observer.stop(), traffic.stop()]);
    throw error;
  }
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

function isHealthy(blueprint: Blueprint, side: Side): boolean {
  const service = blueprint.services.find(({ name }) => name === blueprint.wiring.serviceNames[side]);
  const targets = [...blueprint.elb.targetGroup(blueprint.wiring.targetGroupArns[side]).targets.values()];
  return targets.filter(({ state }) => state === 'healthy').length >= (service?.desiredCount ?? 1);
}

function targetStates(blueprint: Blueprint): string {
  const states = SIDES.map((side) => {
    const targets = [...blueprint.elb.targetGroup(blueprint.wiring.targetGroupArns[side]).targets.values()];
    const listed = targets.map(
      ({ id, port, state, reason }) => `${id}:${port} ${state}${reason ? ` (${reason.description})` : ''}`,
    );
    return `${side}: ${listed.join(', ') || 'none'}`;
  });
  return `every target must be healthy within ${HEALTHY_WITHIN_MS / 1000} s, got ${states.join('; ')}`;
}

export function listenersOf(blueprint: Blueprint): string {
  return [...blueprint.elb.listeners.values()]
    .map(({ port, templatePort }) => (port === templatePort ? `:${port}` : `:${port} (for :${templatePort})`))
    .join(', ');
}
