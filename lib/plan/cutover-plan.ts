import { Duration } from 'aws-cdk-lib';
import { DEFAULT_SMOKE, Plan, parsePlan } from '../../core/plan/plan';
import { SWITCH_FIELDS } from '../../core/plan/switch-plan';
import { checkNames } from '../validation/known-props';
import { isLater } from '../validation/validation';
import { MigrationSide } from '../traffic/migration-side';
import { SwitchHook } from './switch-hook';
import { TrafficWeights } from '../traffic/traffic-weights';

/** A part of a plan that the input of an execution may make more careful. */
export enum CutoverPlanPart {
  /** The stages: longer bakes, more stages, smaller shares first. */
  STAGES = 'stages',
  /** A shorter time between two polls. */
  POLL = 'pollSeconds',
  /** More healthy targets. */
  MINIMUM_HEALTHY_TARGETS = 'minimumHealthyTargets',
  /** More smoke requests. */
  SMOKE = 'smoke',
  /** A shorter time for new weights to read back. */
  CONFIRM_TIMEOUT = 'confirmTimeoutSeconds',
  /** Fewer errors, more requests. */
  BREAKER = 'breaker',
  /** More time for connections to end, closed more slowly. */
  DRAIN = 'drain',
  /** More gates, a shorter wait. */
  APPROVAL = 'approval',
  /** A shorter pause, fewer attempts, a dry run. */
  SWITCH = 'switch',
}

/** What keeps the side that is left from writing after the decision of a switch. */
export enum SwitchFence {
  /** All its requests have ended. Those that clients or proxies had given up are counted, and not waited for. */
  DRAINED = 'drained',
  /** Those that were given up have outlasted `longestRequest`, too. */
  DRAINED_AND_ABANDONED = 'drainedAndAbandoned',
  /** The application rejects requests whose `X-Drainshift-Epoch` is lower than one that it has seen. */
  EPOCH = 'epoch',
}

/** What happens when a cutover fails after its switch was committed. */
export enum SwitchRollback {
  /** It switches back by itself. */
  AUTOMATIC = 'automatic',
  /** It stays on the target, and a person decides. */
  ASK = 'ask',
}

/** What becomes of the target's writes when a cutover rolls back after the commit of its switch. */
export enum PointOfNoReturn {
  /** Both sides have the same store: nothing is lost. */
  SHARED = 'shared',
  /** They are lost to the source. */
  ACCEPT_LOSS = 'acceptLoss',
}

/** One step of a plan: set these weights, then watch. */
export interface CutoverStage {
  /** The weights of this stage; those of the last one have 0 on the source. */
  readonly weights: TrafficWeights;

  /**
   * How long to watch before the next stage.
   * @default Duration.minutes(5)
   */
  readonly bake?: Duration;
}

/** A request to which both sides must respond as expected before anything moves. */
export interface CutoverSmokeRequest {
  /**
   * The path and query, as in `/health?deep=1`. Of a group of GRPC the method that is called with an empty message, as in
   * `/grpc.health.v1.Health/Check`; 200 is for a call that ends well.
   */
  readonly path: string;

  /**
   * The status that both sides must respond with.
   * @default 200
   */
  readonly expectedStatus?: number;
}

/** What ends a bake early, or does not let it end well. */
export interface CutoverBreaker {
  /**
   * Fewer errors than this never end a bake.
   * @default 10
   */
  readonly minimumErrors?: number;

  /**
   * The error rate of the side that gets the traffic, from 0 to 1, over which a cutover rolls back.
   * @default 0.05
   */
  readonly maximumErrorRate?: number;

  /**
   * A stage in which that side saw fewer requests does not pass.
   * @default 10
   */
  readonly minimumRequests?: number;
}

/** How the connections of the side that is left end once no new ones come. */
export interface CutoverDrain {
  /**
   * How long requests may finish by themselves.
   * @default Duration.seconds(30)
   */
  readonly requests?: Duration;

  /**
   * How long WebSockets may finish by themselves.
   * @default Duration.minutes(5)
   */
  readonly webSockets?: Duration;

  /**
   * How long streams of gRPC and server-sent events may finish by themselves.
   * @default Duration.minutes(5)
   */
  readonly streams?: Duration;

  /**
   * How long any other response that streams may finish by itself: events by POST as of an LLM, NDJSON, downloads. Then it
   * is reset.
   * @default Duration.minutes(5)
   */
  readonly streamingResponses?: Duration;

  /**
   * How many of the remaining connections each proxy closes in a second.
   * @default 20
   */
  readonly closeRatePerSecond?: number;
}

/** Where a person has to agree before a cutover goes on. */
export interface CutoverApproval {
  /**
   * Whether to ask after the checks and before anything moves.
   * @default false
   */
  readonly beforeFirstShift?: boolean;

  /**
   * Whether to ask before the last stage, which leaves nothing on the side that the cutover leaves.
   * @default false
   */
  readonly beforeLastStage?: boolean;

  /**
   * How long to wait for an approval, up to 7 days. Without one nothing is moved, or the cutover rolls back.
   * @default Duration.hours(1)
   */
  readonly timeout?: Duration;

  /**
   * Whether a yes counts only when it is signed (`drainshift approve`), so that the record has the principal that gave it. A no
   * always counts.
   * @default true
   */
  readonly requireIdentity?: boolean;
}

/** What a plan of any strategy has. */
export interface CutoverPlanOptions {
  /**
   * The side that the cutover leaves; the other one gets the traffic. `TARGET` rolls back a completed cutover, as
   * `drainshift rollback` does without another deployment.
   * @default MigrationSide.SOURCE
   */
  readonly from?: MigrationSide;

  /**
   * The time between two polls of a bake or a drain.
   * @default Duration.seconds(15)
   */
  readonly poll?: Duration;

  /**
   * How many healthy proxies each side needs before anything moves.
   * @default 1
   */
  readonly minimumHealthyTargets?: number;

  /**
   * What is asked of both sides before anything moves.
   * @default - `/` responds with 200
   */
  readonly smoke?: CutoverSmokeRequest[];

  /**
   * How long new weights may take to read back.
   * @default Duration.minutes(2)
   */
  readonly confirmTimeout?: Duration;

  /**
   * When errors of the side that gets the traffic end the cutover.
   * @default - the defaults of its parts
   */
  readonly breaker?: CutoverBreaker;

  /**
   * How the connections of the side that is left end after the last stage.
   * @default - the defaults of its parts
   */
  readonly drain?: CutoverDrain;

  /**
   * Where a person has to agree before it goes on.
   * @default - nowhere
   */
  readonly approval?: CutoverApproval;
}

/** A plan of stages with a bake each. */
export interface GradualPlanProps extends CutoverPlanOptions {
  /**
   * The stages in their order.
   * @default - 10, 50, 90 and 100 of 100 on the side that gets the traffic, five minutes each
   */
  readonly stages?: CutoverStage[];
}

/** A plan of one switch, at which requests wait for a moment. */
export interface DrainThenShiftPlanProps extends CutoverPlanOptions {
  /** What becomes of the writes of the side that was switched to when traffic leaves it again after the commit. */
  readonly pointOfNoReturn: PointOfNoReturn;

  /**
   * How long requests may wait for the decision, from 100 milliseconds to 25 seconds. When it takes longer the side that serves
   * goes on.
   * @default Duration.seconds(5)
   */
  readonly maxPause?: Duration;

  /**
   * How many requests wait at one proxy; further ones get 503.
   * @default 10000
   */
  readonly maxWaiting?: number;

  /**
   * A switch does not start while more requests than this are in flight at the side that is left.
   * @default 1000000
   */
  readonly maxInFlight?: number;

  /**
   * How often the switch is tried.
   * @default 3
   */
  readonly attempts?: number;

  /**
   * The time between two attempts.
   * @default Duration.seconds(30)
   */
  readonly attemptInterval?: Duration;

  /**
   * How long a request may run at the backend, up to an hour. What a proxy had sent that died counts as ended after this time.
   * @default Duration.minutes(1)
   */
  readonly longestRequest?: Duration;

  /**
   * What keeps the side that is left from writing after the decision.
   * @default SwitchFence.DRAINED
   */
  readonly fence?: SwitchFence;

  /**
   * What freezes the side that is left, takes state along and verifies it, before the decision.
   * @default - none: nothing is called
   */
  readonly hook?: SwitchHook;

  /**
   * How many waiting requests each proxy releases in the first second, twice as many in each further one.
   * @default - all at once
   */
  readonly rampPerSecond?: number;

  /**
   * What happens when the cutover fails after the commit.
   * @default SwitchRollback.AUTOMATIC
   */
  readonly rollback?: SwitchRollback;

  /**
   * How long both sides are watched after the switch, before the side that was left is drained.
   * @default Duration.minutes(5)
   */
  readonly bake?: Duration;

  /**
   * Whether everything is tried but the decision, which is an abort: nothing moves.
   * @default false
   */
  readonly dryRun?: boolean;
}

/** The numbers of a plan that are known only at deployment. */
interface Readers {
  readonly number: ReadNumber;
  readonly path: ReadPath;
}

/** @param legal what stands for a number that is known only at deployment */
type ReadNumber = (value: number | undefined, legal?: number) => number | undefined;
/** @param legal what stands for a text that is known only at deployment */
type ReadPath = (path: string, legal?: string) => string;

/**
 * What a cutover does unless its execution is started with a plan of its own.
 *
 * @example
 * const plan = CutoverPlan.gradual({
 *   stages: [
 *     { weights: { source: 95, target: 5 }, bake: Duration.minutes(30) },
 *     { weights: { source: 0, target: 100 }, bake: Duration.hours(1) },
 *   ],
 *   smoke: [{ path: '/login', expectedStatus: 200 }],
 * });
 */
export class CutoverPlan {
  /** Stages of weights with a bake each. */
  public static gradual(props?: GradualPlanProps): CutoverPlan {
    checkNames('GradualPlanProps', props);
    const render = ({ number }: Readers) => renderGradual(props ?? {}, number);
    return new CutoverPlan('gradual', props ?? {}, render);
  }

  /**
   * All traffic at once, with a single writer at every moment: requests wait until those in flight have ended and one decision
   * is written, and then go to whichever side was decided.
   *
   * @example
   * const plan = CutoverPlan.drainThenShift({
   *   pointOfNoReturn: PointOfNoReturn.SHARED,
   *   maxPause: Duration.seconds(2),
   *   fence: SwitchFence.EPOCH,
   *   bake: Duration.minutes(30),
   * });
   */
  public static drainThenShift(props: DrainThenShiftPlanProps): CutoverPlan {
    checkNames('DrainThenShiftPlanProps', props);
    return new CutoverPlan('drainThenShift', props, (read) => renderSwitch(props, read), props.hook);
  }

  private constructor(
    private readonly strategy: Plan['strategy'],
    private readonly props: CutoverPlanOptions,
    /** The parts that the strategy has for itself. */
    private readonly renderOwn: (read: Readers) => object,
    private readonly hook?: SwitchHook,
  ) {}

  /**
   * Whether it switches: the proxies must then know the store and each other's backend.
   *
   * @internal
   */
  public get _switches(): boolean {
    return this.strategy === 'drainThenShift';
  }

  /**
   * The function that its hook calls, where it does.
   *
   * @internal
   */
  public get _hookFunctionArn(): string | undefined {
    return this.hook?._functionArn;
  }

  /**
   * The paths of its smoke requests.
   *
   * @internal
   */
  public get _smokePaths(): string[] {
    return (this.props.smoke ?? DEFAULT_SMOKE).map(({ path }) => path);
  }

  /**
   * The plan as the state machine accepts it.
   *
   * @internal
   * @throws Error with one line for each broken rule.
   */
  public _toJson(initialWeights: TrafficWeights): object {
    let deferred = false;
    // What is known only at deployment is checked then; 1 is legal nearly wherever a plan has a number.
    const number: ReadNumber = (value, legal = 1) => {
      if (!isLater(value)) return value;
      deferred = true;
      return legal;
    };
    const path: ReadPath = (text, legal = '/') => {
      if (!isLater(text)) return text;
      deferred = true;
      return legal;
    };
    const checked = parsePlan(this.render(initialWeights, { number, path }));
    return deferred ? this.render(initialWeights, { number: (value) => value, path: (text) => text }) : checked;
  }

  private render(initialWeights: TrafficWeights, read: Readers): object {
    const { from } = this.props;
    const isBack = from === MigrationSide.TARGET;
    // A switch has one side that serves.
    const legal = this._switches ? 0 : 1;
    return {
      strategy: this.strategy,
      from,
      initialWeights: renderWeights(
        findStart(initialWeights, isBack),
        read.number,
        isBack ? { source: legal } : { target: legal },
      ),
      ...renderOptions(this.props, read),
      ...this.renderOwn(read),
    };
  }
}

/** Those that a listener was made with say where a cutover from the source starts. One from the target follows another. */
function findStart(initialWeights: TrafficWeights, isBack: boolean): TrafficWeights {
  const { source, target } = initialWeights;
  return isBack && !isLater(target) && target === 0 ? { source: 0, target: source } : initialWeights;
}

function renderWeights(
  { source, target }: TrafficWeights,
  read: ReadNumber,
  legal: { readonly source?: number; readonly target?: number } = {},
): object {
  return { source: read(source, legal.source), target: read(target, legal.target) };
}

function renderGradual({ stages }: GradualPlanProps, read: ReadNumber): object {
  return {
    stages: stages?.map(({ weights, bake }) => ({
      weights: renderWeights(weights, read),
      bakeSeconds: read(bake?.toSeconds()),
    })),
  };
}

const ALL_ON: Readonly<Record<MigrationSide, TrafficWeights>> = {
  [MigrationSide.SOURCE]: { source: 100, target: 0 },
  [MigrationSide.TARGET]: { source: 0, target: 100 },
};

function otherSide({ from }: CutoverPlanOptions): MigrationSide {
  return from === MigrationSide.TARGET ? MigrationSide.SOURCE : MigrationSide.TARGET;
}

function renderSwitch(props: DrainThenShiftPlanProps, { number: read, path }: Readers): object {
  return {
    ...(props.bake && {
      stages: [{ weights: ALL_ON[otherSide(props)], bakeSeconds: read(props.bake.toSeconds()) }],
    }),
    switch: {
      maxPauseMs: read(props.maxPause?.toMilliseconds(), SWITCH_FIELDS.maxPauseMs.max),
      maxWaiting: read(props.maxWaiting),
      maxInFlight: read(props.maxInFlight),
      attempts: read(props.attempts),
      attemptSeconds: read(props.attemptInterval?.toSeconds()),
      longestRequestSeconds: read(props.longestRequest?.toSeconds()),
      fence: props.fence,
      hook: props.hook?._render(read, path),
      rampPerSecond: read(props.rampPerSecond),
      rollback: props.rollback,
      pointOfNoReturn: props.pointOfNoReturn,
      dryRun: props.dryRun,
    },
  };
}

function renderOptions(props: CutoverPlanOptions, { number: read, path: readPath }: Readers): object {
  const seconds = (duration: Duration | undefined) => read(duration?.toSeconds());
  return {
    pollSeconds: seconds(props.poll),
    minimumHealthyTargets: read(props.minimumHealthyTargets),
    smoke: props.smoke?.map(({ path, expectedStatus }) => ({
      path: readPath(path),
      expectedStatus: read(expectedStatus),
    })),
    confirmTimeoutSeconds: seconds(props.confirmTimeout),
    breaker: props.breaker && {
      minimumErrors: read(props.breaker.minimumErrors),
      maximumErrorRate: read(props.breaker.maximumErrorRate),
      minimumRequests: read(props.breaker.minimumRequests),
    },
    drain: props.drain && {
      perKindSeconds: {
        http: seconds(props.drain.requests),
        websocket: seconds(props.drain.webSockets),
        grpcStream: seconds(props.drain.streams),
        serverSentEvents: seconds(props.drain.streams),
        streaming: seconds(props.drain.streamingResponses),
      },
      closeRatePerSecond: read(props.drain.closeRatePerSecond),
    },
    approval: props.approval && {
      beforeFirstShift: props.approval.beforeFirstShift,
      beforeLastStage: props.approval.beforeLastStage,
      timeoutSeconds: seconds(props.approval.timeout),
      requireIdentity: props.approval.requireIdentity,
    },
  };
}
