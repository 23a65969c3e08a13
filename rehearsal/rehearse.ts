import { setTimeout as pause } from 'node:timers/promises';
import type { Evidence } from '../core/evidence';
import { Plan } from '../core/plan';
import { SIDES, Side } from '../core/weights';
import { readAssembly } from './assembly/read';
import { Backends, startBackends } from './backends';
import { Blueprint, readBlueprint } from './blueprint/blueprint';
import type { Fault } from './fault';
import { Observer } from './observer';
import { rehearsedPlan } from './plan';
import { readBackWeights } from './read-back';
import { Picture, rehearsalEvidence, withoutEvidence } from './report/evidence';
import type { Sample } from './report/samples';
import type { ExecutionDescription } from './state-machine/model';
import { DEFAULT_RATES } from './traffic/options';
import { Traffic, startTraffic } from './traffic/traffic';
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
  /** Bakes, polls and drain deadlines are divided by it. */
  readonly speed: number;
  readonly seed: number;
  readonly ports: ReadonlyMap<number, number>;
}

/** What a person is told while it runs. */
export interface Screen {
  /** Whether it is drawn anew in place; a log gets lines. */
  readonly isLive: boolean;
  step(text: string): void;
  progress(sample: Sample): void;
}

const HEALTHY_WITHIN_MS = 60_000;
const CONNECTED_WITHIN_MS = 20_000;
/** After the last step clients go on for a moment, so that the new state of things is tried too. */
const AFTERWARDS_MS = 1_000;

/** A rehearsal that stands: the world, its backends, its traffic. */
export interface Standing {
  readonly world: World;
  readonly backends: Backends;
  readonly plan: Plan;
  /** Ends everything that was started, in the order that loses nothing. Asking twice is asking once. */
  stop(): Promise<void>;
}

/**
 * Stands up what the assembly describes.
 *
 * @throws UsageError, CutoverError `PlanInvalid`, PortTaken, Error; nothing is left running then
 */
export async function standUp(options: RehearsalOptions, screen: Screen, signal: AbortSignal): Promise<Standing> {
  const blueprint = readBlueprint(readAssembly(options.app), options.stack);
  const plan = rehearsedPlan(blueprint.machine, options.plan, options.speed);
  screen.step(`stack '${blueprint.stack.name}': starting the backends`);
  const backends = await startBackends({ source: options.source, target: options.target }, options.fault, options.seed);
  const stops: (() => Promise<void>)[] = [() => backends.stop()];
  const stop = async () => {
    for (const next of stops.splice(0).reverse()) await next();
  };
  try {
    const broken = new AbortController();
    const world = await World.start({
      blueprint,
      upstreams: backends.upstreams,
      ports: options.ports,
      seed: options.seed,
      exchanged: () => undefined,
      onExecution: ({ entered }) => {
        if (entered.at(-1)?.state === 'Shift') backends.beginFault();
      },
      onCall: () => undefined,
      onBroken: (reason) => broken.abort(new Error(reason)),
    });
    stops.push(() => world.stop());
    screen.step(
      `load balancer on ${listenersOf(blueprint)}; AWS endpoint on ${world.endpoint.url}; waiting for healthy targets`,
    );
    await until(
      () => SIDES.every((side) => isHealthy(blueprint, side)),
      HEALTHY_WITHIN_MS,
      AbortSignal.any([signal, broken.signal]),
      () => targetStates(blueprint),
    );
    return { world, backends, plan, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Runs one cutover of a standing world under traffic, and returns what it left. */
export async function cutOver(
  standing: Standing,
  options: RehearsalOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<Picture> {
  const { world, plan } = standing;
  const traffic = await startTraffic(trafficOptions(standing));
  let execution: ExecutionDescription | undefined;
  const observer = new Observer(
    world,
    traffic,
    plan,
    () => execution,
    (sample) => screen.progress(sample),
  );
  try {
    await until(
      () => isConnected(traffic, standing),
      CONNECTED_WITHIN_MS,
      signal,
      () => `'the clients' must all be connected`,
    );
    execution = world.states.start(
      world.options.blueprint.machine.arn,
      `rehearsal-${Date.now()}`,
      JSON.stringify({ plan }),
    );
    screen.step(`cutover '${execution.name}' started`);
    const running = execution;
    await until(
      () => running.status !== 'RUNNING',
      Infinity,
      signal,
      () => '',
    );
    await pause(AFTERWARDS_MS, undefined, { signal });
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
        ...(options.fault && { fault: options.fault }),
      },
    });
    return { evidence, samples: observer.samples, entered: running.entered };
  } catch (error) {
    await Promise.allSettled([observer.stop(), traffic.stop()]);
    throw error;
  }
}

export function trafficOptions({ world, backends, plan }: Standing): Parameters<typeof startTraffic>[0] {
  const { wiring, elb } = world.options.blueprint;
  return {
    origin: `https://${wiring.domainName}`,
    connectTo: { host: '127.0.0.1', port: elb.listener(wiring.weightedListenerArn).port },
    ca: world.certificate.cert,
    ...(!backends.own && { paths: plan.smoke }),
  };
}

function isConnected(traffic: Traffic, { backends }: Standing): boolean {
  const seen = traffic.snapshot();
  if (!seen) return false;
  if (!backends.own) return seen.http.sent > 0;
  const { webSockets, eventStreams } = DEFAULT_RATES;
  const { websocket, serverSentEvents } = seen.live;
  return (
    websocket >= webSockets * CONNECTED_SHARE && serverSentEvents >= eventStreams * CONNECTED_SHARE && seen.http.ok > 0
  );
}

/** Short-lived WebSockets are between two connections now and then. */
const CONNECTED_SHARE = 0.95;

function evidenceOf(world: World, execution: ExecutionDescription, plan: Plan): Evidence {
  const bucket = world.options.blueprint.wiring.storeBucket;
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

/** Waits for a condition; gives up after `withinMs`, or at once with the signal's reason. */
async function until(
  condition: () => boolean,
  withinMs: number,
  signal: AbortSignal,
  complaint: () => string,
): Promise<void> {
  const startedMs = Date.now();
  while (!condition()) {
    signal.throwIfAborted();
    if (Date.now() - startedMs > withinMs) throw new Error(complaint());
    await pause(50);
  }
}
