import { requestsToProve } from '../../core/plan/judge-plan';
import { Plan, SmokeRequest } from '../../core/plan/plan';
import { PROOF_VARIABLE, ProofOrder } from '../../core/cutover/proof';
import type { KeyRule } from '../../core/replay/key';
import { SIDES } from '../../core/traffic/weights';
import { readAssembly } from '../template/assembly/read';
import { openFileLimit } from '../../proxy/process/file-limit';
import { approve } from './approve';
import { checkCapture, startCaptureStore } from './capture';
import type { CaptureName } from './capture-name';
import { checkOpenFiles } from './open-files';
import { SideStores, startSideStores } from '../backend/side-stores';
import { areGiven, startBackends } from '../backend/backends';
import { StackModel, readStackModel } from '../template/model/stack-model';
import { notRun } from '../template/parts/custom-resources';
import { withoutEffect } from '../template/model/without-effect';
import { freshRequests, withEnoughRequests } from './enough-requests';
import { Recording, findRecording } from './recording';
import { startReplays } from './replays';
import { findScenario, hasScenario } from './scenario';
import { PlannedFaultOfRehearsal, checkFault, planFault } from './planned-fault';
import { AnyAsked, findBrokenSides } from '../faults/describe';
import { errorMessage } from '../functions/error-message';
import { variableName } from '../../core/proxy/settings/setting-names';
import { StateName, StrategyName, floorProblems, rehearsedPlan } from './plan';
import { hasLoopbackNetwork } from '../processes/loopback';
import { tellRecovery } from '../cloud/recovery';
import type { ProgressReporter } from '../progress/progress-reporter';
import { readNextStack } from '../redeploy/next-stack';
import type { Approvals, RunningRehearsal } from '../cloud/running-rehearsal';
import {
  DEFAULT_RATES,
  NO_PAGES_OF_OURS,
  SWITCH_RATES,
  TrafficRates,
  http2Rates,
  recordingRates,
  scenarioRates,
  timesRates,
} from '../traffic/options';
import { isHealthy } from '../stack/stack-services';
import { Trust, checkTrust, foreignParts } from '../stack/trust';
import { UsageError } from '../errors/usage-error';
import { startedUnless, until } from '../processes/waiting';
import { LocalCloud } from '../cloud/local-cloud';

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
  /** In place of the plan's own. */
  readonly strategy?: StrategyName;
  /** How the state of the rehearsal's own backends goes along. @default - they share a store, unless the plan says otherwise */
  readonly state?: StateName;
  /** Where the proxies of the source record their traffic. @default - where their template says */
  readonly capture?: CaptureName;
  readonly source?: string;
  readonly target?: string;
  /** What the clients do (JSON or YAML). @default - the usual traffic */
  readonly scenario?: string;
  /** What a browser recorded (HAR), in place of a scenario. */
  readonly har?: string;
  /** Of which requests of the recording are taken. @default - that of its first page */
  readonly harHost?: string;
  /** Captured traffic that is sent in place of a scenario: a file, or a folder of them. */
  readonly replay?: string;
  /** What of it keeps its order in time. @default - what came on one connection */
  readonly key?: KeyRule;
  /** Fields of its responses that are not compared. @default - none */
  readonly ignore?: readonly string[];
  /** Where the comparison is written. */
  readonly compare?: string;
  readonly fault?: AnyAsked;
  /** Another assembly of the same app, which is deployed in the middle of the first bake. */
  readonly redeploy?: string;
  /**
   * Whether what a person has to approve at AWS is approved.
   * @default true
   */
  readonly approve?: boolean;
  /** Bakes, polls and drain deadlines are divided by it. */
  readonly speed: number;
  /** Multiplies the rates of requests and the numbers of long-lived clients; of a recording, its pace. */
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
  /** Whether its address is opened in the browser, before the cutover. */
  readonly open?: boolean;
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
export async function standUp(
  options: RehearsalOptions,
  reporter: ProgressReporter,
  signal: AbortSignal,
): Promise<RunningRehearsal> {
  // The plan names them: they come first.
  const hasStores = options.state === 'valkey' || options.state === 'valkey-replicate';
  const stores = hasStores ? await startSideStores() : undefined;
  try {
    return await standUpWith(stores ? { ...options, stores } : options, reporter, signal);
  } catch (error) {
    await stores?.stop();
    throw error;
  }
}

/** With what was started before the plan was read. */
interface Asked extends RehearsalOptions {
  readonly stores?: SideStores;
}

async function standUpWith(options: Asked, reporter: ProgressReporter, signal: AbortSignal): Promise<RunningRehearsal> {
  const startedMs = Date.now();
  const { parameters, migration, domain } = options;
  const model = readStackModel(readAssembly(options.app, '--app', parameters), options.stack, { migration, domain });
  const isHttp2Only = takesHttp2Only(model);
  const given = rehearsedPlan(model.machine, askedPlan(options), options.speed);
  const recording = await findRecording(options, reporter, signal);
  const asked = findTraffic(options, given, { isHttp2Only, reporter, recording });
  const plan = findPlan(given, options, asked.rates, reporter);
  checkAsked(model, plan, options, asked.rates);
  const trust = checkAssemblies(model, options, reporter);
  tellDifferences(model, options, reporter);
  reporter.step(`stack '${model.stack.name}': starting the backends`);
  const { fault, seed, stores } = options;
  const hasOwnAddresses = await findOwnAddresses(reporter);
  const broken = fault ? findBrokenSides(fault) : [];
  const smoke = buildSmoke(plan, model);
  const state = listStateOptions(plan, stores);
  const starting = startBackends(options, { broken, smoke, seed, hasOwnAddresses, ...state }, signal);
  const backends = await startedUnless(starting, signal, START_GRACE_MS);
  const stops: (() => Promise<void>)[] = [async () => stores?.stop(), () => backends.stop()];
  const stop = async () => {
    for (const next of stops.splice(0).reverse()) await next();
  };
  const approvals: Approvals = { areAsked: options.approve === false };
  const running = { backends, plan, ...asked, startedMs, stop, isHttp2Only, approvals };
  try {
    const broker = await startCaptureStore(model, options.capture, reporter);
    stops.push(async () => broker?.stop());
    const breakdown = new AbortController();
    const planned: { fault?: PlannedFaultOfRehearsal } = {};
    const cloud: LocalCloud = await LocalCloud.start({
      ...{ model, plan, upstreams: backends.upstreams, captureStore: broker?.url },
      ports: options.ports,
      speed: options.speed,
      onFailure: tellOnce(reporter),
      seed: options.seed,
      hasLoopbackNetwork: hasOwnAddresses,
      trust,
      hosts: backends.hosts && { commands: backends.hosts.commands, isFree: options.state === 'checkpoint' },
      onStatusCall: (call) => tellRecovery(call, reporter),
      onExecution: (execution) => {
        planned.fault?.see(execution);
        approve(execution, cloud, reporter, approvals.areAsked);
      },
      onBroken: (reason) => breakdown.abort(new Error(reason)),
    });
    stops.push(() => cloud.stop());
    const following = { ...options, plan, upstreams: backends.upstreams, captureStore: broker?.url };
    stops.push(await startReplays(following, cloud, reporter, AbortSignal.any([signal, breakdown.signal])));
    await healthy(cloud, AbortSignal.any([signal, breakdown.signal]), reporter);
    if (fault) planned.fault = planFault(fault, { cloud, backends, plan, reporter });
    await planned.fault?.prepare(signal);
    if (isHttp2Only) reporter.step('target groups of HTTP/2: all traffic is HTTP/2, and there are no WebSockets');
    return { ...running, captureStore: broker?.url, cloud, broken: breakdown.signal, ...planned };
  } catch (error) {
    await stop();
    throw error;
  }
}

function listStateOptions(plan: Plan, stores: SideStores | undefined) {
  const { http, checkpoint } = plan.switch?.state ?? {};
  return { statePath: http?.path, checkpoint, valkeyUrls: stores?.urls };
}

async function findOwnAddresses(reporter: ProgressReporter): Promise<boolean> {
  const hasNetwork = await hasLoopbackNetwork();
  if (!hasNetwork) reporter.step(ONE_ADDRESS);
  return hasNetwork;
}

async function healthy(
  { model, endpoint }: LocalCloud,
  signal: AbortSignal,
  reporter: ProgressReporter,
): Promise<void> {
  reporter.step(
    `load balancer on ${listListeners(model)}; AWS endpoint on ${endpoint.url}; waiting for healthy targets`,
  );
  await until(() => SIDES.every((side) => isHealthy(model, side)), {
    withinMs: HEALTHY_WITHIN_MS,
    signal,
    problem: () => targetStates(model),
  });
}

/** What the plan asks for, and what a deployment asks for before its rule joins an existing listener. */
function buildSmoke({ smoke }: Plan, { functions }: StackModel): SmokeRequest[] {
  const json = functions.map(({ environment }) => environment[PROOF_VARIABLE]).find((value) => value !== undefined);
  const proven = json === undefined ? [] : (JSON.parse(json) as ProofOrder).smoke;
  return [...smoke, ...proven.filter(({ path }) => smoke.every((each) => each.path !== path))];
}

/**
 * What of the assemblies may run, of the next one, too; says what is left out.
 *
 * @throws UsageError
 */
function checkAssemblies(model: StackModel, options: RehearsalOptions, reporter: ProgressReporter): Trust {
  const { trust = 'ownBundles', redeploy, parameters } = options;
  checkTrust(model, trust);
  if (redeploy !== undefined) {
    checkTrust(readNextStack(model, readAssembly(redeploy, '--redeploy', parameters)), trust);
  }
  if (trust === 'ownBundles') for (const part of foreignParts(model)) reporter.step(part);
  return trust;
}

/** @throws UsageError for what was asked for and cannot be */
function checkAsked(model: StackModel, plan: Plan, options: RehearsalOptions, rates: TrafficRates): void {
  checkOpenFiles(rates, openFileLimit());
  checkTraffic(plan, options);
  checkSwitch(model, plan);
  checkCapture(model, options.capture);
  checkFault(model, plan, options.fault);
}

function askedPlan(options: Asked) {
  const { plan, strategy, state, stores, capture } = options;
  if (state !== undefined && areGiven(options)) {
    throw new UsageError(
      `'--state' must be of the rehearsal's own backends, got those of '--source': say in the plan how yours does ('switch.state')`,
    );
  }
  return {
    isStoreShared: !areGiven(options),
    ...(plan !== undefined && { plan }),
    ...(strategy && { strategy }),
    ...(state && { state }),
    ...(capture && { capture }),
    ...(stores && { stores: stores.urls }),
  };
}

function findPlan(given: Plan, options: RehearsalOptions, rates: TrafficRates, reporter: ProgressReporter): Plan {
  // It has no traffic at all then, which is said with its own reason.
  const isOfScenario = hasOwnTraffic(options);
  if (given.smoke.length === 0 && areGiven(options) && !isOfScenario) return given;
  const share = isOfScenario ? Math.min(1, freshRequests(rates) / freshRequests(DEFAULT_RATES)) : undefined;
  const plan = withEnoughRequests(given, { ...options, rates, share });
  const [asked, scaled] = [given, plan].map(({ judge }) => judge.errorBudget);
  if (asked !== scaled) {
    const [wanted, requests] = [given, plan].map(({ judge }) => requestsToProve(judge.errorBudget));
    reporter.step(
      `a stage is promoted here after ${requests} ${requests === 1 ? 'request' : 'requests'} without an error, not after the plan's ${wanted}: the stages are short ` +
        `('judge.errorBudget' ${scaled}, not ${asked}). Errors count as they always do`,
    );
  }
  return plan;
}

interface TrafficParts {
  readonly isHttp2Only: boolean;
  readonly reporter: ProgressReporter;
  readonly recording: Recording | undefined;
}

function hasOwnTraffic(options: RehearsalOptions): boolean {
  return hasScenario(options) || options.replay !== undefined;
}

function findTraffic(
  options: RehearsalOptions,
  plan: Plan,
  { isHttp2Only, reporter, recording }: TrafficParts,
): Pick<RunningRehearsal, 'rates' | 'scenario' | 'recording'> {
  if (recording) return { rates: recordingRates(recording.requestsPerSecond), recording: recording.options };
  const scenario = findScenario(options, reporter);
  const rates = scenario ? scenarioRates(scenario) : computeRates(options, plan);
  return { rates: isHttp2Only ? http2Rates(rates) : rates, ...(scenario && { scenario }) };
}

function computeRates(options: RehearsalOptions, plan: Plan): TrafficRates {
  const usual = plan.switch ? SWITCH_RATES : DEFAULT_RATES;
  return { ...timesRates(options.traffic, usual), ...(areGiven(options) ? NO_PAGES_OF_OURS : {}) };
}

/** What is not here as it is at AWS. There a plan of a file would have to be deployed first. */
function tellDifferences({ machine, resources, elb }: StackModel, options: Asked, reporter: ProgressReporter): void {
  for (const name of notRun(resources)) reporter.step(`${name} is not run here`);
  for (const attributes of withoutEffect(elb)) reporter.step(`without effect here: ${attributes}`);
  for (const problem of floorProblems(machine, askedPlan(options))) {
    reporter.step(`a cutover as it is deployed would reject this plan: ${problem}`);
  }
}

/** An HTTP/1.1 client gets 464 from a side whose group is one of HTTP/2. */
function takesHttp2Only({ elb, config }: StackModel): boolean {
  return SIDES.some((side) => elb.targetGroup(config.targetGroupArns[side]).protocolVersion === 'HTTP2');
}

/**
 * At AWS it takes another deployment to switch: its proxies must know each other's backend and the store.
 *
 * @throws UsageError
 */
function checkSwitch({ services }: StackModel, plan: Plan): void {
  if (!plan.switch) return;
  const names = [variableName('other_upstream'), variableName('switch_store')];
  for (const { name, container } of services) {
    const missing = names.find((variable) => container.environment[variable] === undefined);
    if (missing === undefined) continue;
    throw new UsageError(
      `the service '${name}' must be synthesized with CutoverPlan.drainThenShift to switch, got one without ${missing}; ` +
        'the app of this package takes it from the context: cdk synth --context drainshift:strategy=drain-then-shift',
    );
  }
}

/** What fails again and again in the same way is told once. */
function tellOnce(reporter: ProgressReporter): (state: string, error: string, cause: string) => void {
  let last = '';
  return (state, error, cause) => {
    const text = `${state} failed: ${error}: ${errorMessage(cause)}`;
    if (text !== last) reporter.step(text);
    last = text;
  };
}

/** A user's backends get GETs of the plan's smoke paths: without one there is no traffic, and no stage is promoted. */
function checkTraffic({ smoke }: Plan, options: RehearsalOptions): void {
  if (smoke.length > 0 || !areGiven(options) || hasOwnTraffic(options)) return;
  throw new UsageError(
    `'smoke' must have at least one request when '--source' and '--target' are given without '--scenario', '--har' or '--replay', since it is their traffic then, got 0`,
  );
}

function targetStates(model: StackModel): string {
  const states = SIDES.map((side) => {
    const targets = [...model.elb.targetGroup(model.config.targetGroupArns[side]).targets.values()];
    const listed = targets.map(
      ({ id, port, state, reason }) => `${id}:${port} ${state}${reason ? ` (${reason.description})` : ''}`,
    );
    return `${side}: ${listed.join(', ') || 'none'}`;
  });
  return `every target must be healthy within ${HEALTHY_WITHIN_MS / 1000} s, got ${states.join('; ')}`;
}

export function listListeners(model: StackModel): string {
  return [...model.elb.listeners.values()]
    .map(({ port, templatePort }) => (port === templatePort ? `:${port}` : `:${port} (for :${templatePort})`))
    .join(', ');
}
