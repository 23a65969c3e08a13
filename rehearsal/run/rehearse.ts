import { Plan, SmokeRequest } from '../../core/plan/plan';
import { PROOF_VARIABLE, ProofOrder } from '../../core/cutover/proof';
import { SIDES, Side } from '../../core/traffic/weights';
import { readAssembly } from '../template/assembly/read';
import { approve } from './approve';
import { Backends, areGiven, startBackends } from '../backend/backends';
import { Blueprint, readBlueprint } from '../template/model/stack-model';
import { notRun } from '../template/model/custom-resources';
import { withoutEffect } from '../template/model/without-effect';
import { watchedAlarms } from '../template/model/outputs';
import { withEnoughRequests } from './enough-requests';
import type { Fault } from '../backend/fault';
import { errorMessage } from '../functions/error-message';
import { floorProblems, rehearsedPlan } from '../cloud/plan';
import { hasLoopbackNetwork } from '../processes/loopback';
import { tellRecovery } from '../cloud/recovery';
import type { Screen } from '../progress/progress-reporter';
import type { ExecutionDescription } from '../state-machine/model';
import { readNextStack } from '../redeploy/next-stack';
import type { Standing } from '../cloud/running-rehearsal';
import { NO_PAGES_OF_OURS, TrafficRates, http2Rates, timesRates } from '../traffic/options';
import { Trust, checkTrust, foreignParts } from '../cloud/trust';
import { UsageError } from '../errors/usage-error';
import { startedUnless, until } from '../processes/waiting';
import { World } from '../cloud/local-cloud';

export interface RehearsalOptions {
  /** A cloud assembly, or a folder with a `cdk.out` in it. */
  readonly app: string;
  readonly stack?: string;
  /** Of several in one stack. */
  readonly migration?: string;
  /** In place of the domain name of the template. */
  readonly domain?: string;
  /** Values that the assembly does not tell, by name. @default - none */
  readonly parameters?: ReadonlyMap<string, string>;
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
  /**
   * What of the assembly may run on this machine.
   * @default ownBundles
   */
  readonly trust?: Trust;
  /** To run it again. */
  readonly command: string;
  /** Of this package. */
  readonly version: string;
  readonly ports: ReadonlyMap<number, number>;
  /** Whether the cutover waits for a client that is not the rehearsal's. */
  readonly waitForClients?: boolean;
}

/** For the backends to come up and go again, when the signal comes while they start. */
const START_GRACE_MS = 5_000;
const HEALTHY_WITHIN_MS = 60_000;
const ONE_ADDRESS =
  'this machine has no loopback addresses but 127.0.0.1: an application cannot tell clients, load balancer and proxies apart by their addresses here, and your own clients are not counted';

/**
 * Stands up what the assembly describes.
 *
 * @throws UsageError, CutoverError `PlanInvalid`, PortTaken, Error, the signal's reason; nothing is left running then
 */
export async function standUp(options: RehearsalOptions, screen: Screen, signal: AbortSignal): Promise<Standing> {
  const startedMs = Date.now();
  const { parameters, migration, domain } = options;
  const blueprint = readBlueprint(readAssembly(options.app, '--app', parameters), options.stack, { migration, domain });
  const isHttp2Only = takesHttp2Only(blueprint);
  const rates = ratesOf(options, isHttp2Only);
  const plan = planOf(blueprint, options, rates, screen);
  checkTraffic(plan, options);
  checkFault(blueprint, options);
  const trust = checkAssemblies(blueprint, options, screen);
  tellDifferences(blueprint, options, screen);
  screen.step(`stack '${blueprint.stack.name}': starting the backends`);
  const { fault, seed } = options;
  const hasOwnAddresses = await hasLoopbackNetwork();
  if (!hasOwnAddresses) screen.step(ONE_ADDRESS);
  const backends = await startedUnless(
    startBackends(options, { fault, smoke: smokeOf(plan, blueprint), seed, hasOwnAddresses }, signal),
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
      plan,
      upstreams: backends.upstreams,
      ports: options.ports,
      speed: options.speed,
      onFailure: tellOnce(screen),
      seed: options.seed,
      hasLoopbackNetwork: hasOwnAddresses,
      trust,
      onStatusCall: (call) => tellRecovery(call, screen),
      onExecution: (execution) => {
        beginFault(options.fault, execution, backends, world);
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
    if (isHttp2Only) screen.step('target groups of HTTP/2: all traffic is HTTP/2, and there are no WebSockets');
    return { world, backends, plan, rates, startedMs, broken: broken.signal, stop, isHttp2Only };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the plan asks for, and what a deployment asks for before its rule joins an existing listener. */
function smokeOf({ smoke }: Plan, { functions }: Blueprint): SmokeRequest[] {
  const json = functions.map(({ environment }) => environment[PROOF_VARIABLE]).find((value) => value !== undefined);
  const proven = json === undefined ? [] : (JSON.parse(json) as ProofOrder).smoke;
  return [...smoke, ...proven.filter(({ path }) => smoke.every((each) => each.path !== path))];
}

/**
 * What of the assemblies may run, of the next one, too; says what is left out.
 *
 * @throws UsageError
 */
function checkAssemblies(blueprint: Blueprint, options: RehearsalOptions, screen: Screen): Trust {
  const { trust = 'ownBundles', redeploy, parameters } = options;
  checkTrust(blueprint, trust);
  if (redeploy !== undefined) {
    checkTrust(readNextStack(blueprint, readAssembly(redeploy, '--redeploy', parameters)), trust);
  }
  if (trust === 'ownBundles') for (const part of foreignParts(blueprint)) screen.step(part);
  return trust;
}

function planOf(blueprint: Blueprint, options: RehearsalOptions, rates: TrafficRates, screen: Screen): Plan {
  const given = rehearsedPlan(blueprint.machine, options.plan, options.speed);
  // It has no traffic at all then, which is said with its own reason.
  if (given.smoke.length === 0 && areGiven(options)) return given;
  const plan = withEnoughRequests(given, { ...options, rates });
  const [asked, scaled] = [given.breaker.minimumRequests, plan.breaker.minimumRequests];
  if (asked !== scaled) {
    screen.step(`--traffic ${options.traffic}: 'minimumRequests' is ${scaled} here instead of the plan's ${asked}`);
  }
  return plan;
}

function ratesOf(options: RehearsalOptions, isHttp2Only: boolean): TrafficRates {
  const rates = { ...timesRates(options.traffic), ...(areGiven(options) ? NO_PAGES_OF_OURS : {}) };
  return isHttp2Only ? http2Rates(rates) : rates;
}

/** What is not here as it is at AWS. There a plan of a file would have to be deployed first. */
function tellDifferences({ machine, resources, elb }: Blueprint, { plan }: RehearsalOptions, screen: Screen): void {
  for (const name of notRun(resources)) screen.step(`${name} is not run here`);
  for (const attributes of withoutEffect(elb)) screen.step(`without effect here: ${attributes}`);
  for (const problem of floorProblems(machine, plan)) {
    screen.step(`a cutover as it is deployed would refuse this plan: ${problem}`);
  }
}

/** An HTTP/1.1 client gets 464 from a side whose group is one of HTTP/2. */
function takesHttp2Only({ elb, wiring }: Blueprint): boolean {
  return SIDES.some((side) => elb.targetGroup(wiring.targetGroupArns[side]).protocolVersion === 'HTTP2');
}

/** @throws UsageError for a fault that has nothing to work on */
function checkFault({ machine }: Blueprint, { fault }: RehearsalOptions): void {
  if (fault !== 'alarm' || watchedAlarms(machine).length > 0) return;
  throw new UsageError(`'--fault alarm' must have an alarm that the cutover watches, got none`);
}

/** Told of every state that is entered. */
function beginFault(
  fault: Fault | undefined,
  { arn, entered, status }: ExecutionDescription,
  backends: Backends,
  world: World,
): void {
  const state = entered.at(-1)?.state;
  const isFirst = entered.filter((each) => each.state === state).length === 1;
  if (state === 'Shift') backends.beginFault();
  if (state === 'Shift' && fault === 'proxy-crash-loop') crashTarget(world);
  const [alarm] = watchedAlarms(world.blueprint.machine);
  if (fault === 'alarm' && state === 'Confirm' && alarm !== undefined) world.alarms.set(alarm, 'ALARM', 'fault: alarm');
  // As the console does, without a word of why.
  if (fault === 'stop' && state === 'Bake' && isFirst && status === 'RUNNING') world.states.stop(arn, '', '');
}

function crashTarget({ blueprint, tasks }: World): void {
  const target = blueprint.services.find(({ name }) => name === blueprint.wiring.serviceNames.target);
  if (target) tasks.crashLoop(target.arn);
}

/** What fails again and again in the same way is told once. */
function tellOnce(screen: Screen): (state: string, error: string, cause: string) => void {
  let last = '';
  return (state, error, cause) => {
    const text = `${state} failed: ${error}: ${errorMessage(cause)}`;
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
