import { Duration, TimeZone } from 'aws-cdk-lib';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { PART_LIMITS } from '../../core/plan/hook-plan';
import { DEFAULT_SMOKE, Plan, parsePlan } from '../../core/plan/plan';
import { SWITCH_FIELDS } from '../../core/plan/switch-plan';
import { checkNames } from '../validation/known-props';
import { isLater } from '../validation/validation';
import { ConnectionMoves } from '../traffic/connection-moves';
import { MigrationSide } from '../traffic/migration-side';
import { CutoverHook } from './cutover-hook';
import { CheckpointHosts } from './checkpoint-hosts';
import { StateTransfer } from './state-transfer';
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
  /** Fewer errors. */
  BREAKER = 'breaker',
  /** A smaller error budget, less tolerance. */
  JUDGE = 'judge',
  /** More time for connections to end, closed more slowly, fewer of them moved. */
  DRAIN = 'drain',
  /** Clients stay for longer with the side that is left. */
  STICKINESS = 'stickiness',
  /** Windows within the deployed ones. */
  WINDOWS = 'windows',
  /** More steps of a rollback, and more time for each. */
  ROLLBACK_PACE = 'rollbackPace',
  /** More gates, a shorter wait. */
  APPROVAL = 'approval',
  /** A capture that lacks less. */
  CAPTURE = 'capture',
  /** A shorter pause, fewer attempts, a dry run. */
  SWITCH = 'switch',
}

/** What the capture of the side that is left must be like. */
export interface CutoverCapture {
  /**
   * How many requests that change something its proxies may have forwarded without a record since they started.
   * @default 0
   */
  readonly maxUnrecorded?: number;

  /**
   * How long the oldest record may wait until it is written; from a second to an hour.
   * @default Duration.minutes(1)
   */
  readonly maxPending?: Duration;

  /**
   * A replay of it that the cutover waits for, too.
   * @default - none
   */
  readonly replay?: CaptureReplay;
}

/** What a replay of the capture to the side that gets the traffic must be like. */
export interface CaptureReplay {
  /** Its name: it writes its status as `replays/NAME.json` into the bucket of the cutover, by `drainshift replay --status`. */
  readonly name: string;

  /**
   * How far it may be behind; from a second to a day.
   * @default Duration.minutes(1)
   */
  readonly maxLag?: Duration;

  /**
   * For how long it must not have been further behind, by whole minutes; up to 59 minutes.
   * @default - it is looked at once
   */
  readonly within?: Duration;

  /**
   * Whether its comparison must say that the responses of both sides are the same.
   * @default false
   */
  readonly mustPromote?: boolean;
}

/** The replays that a switch waits for. Each writes its status into the bucket of the cutover, by `drainshift replay --status`. */
export interface SwitchReplay {
  /** The name of the one that sends the source what the target has served: of `replays/NAME.json`. */
  readonly toSource: string;

  /**
   * The name of the one that sends the target what the source has served.
   * @default - the switch to the target waits for none
   */
  readonly toTarget?: string;

  /**
   * A path of both backends that is called by POST behind the replay. Both must respond with the same `digest`: only it shows that the
   * requests did the same at both.
   */
  readonly verify: string;

  /**
   * Requests are not held while the replay is further behind; from a second to an hour.
   * @default Duration.seconds(30)
   */
  readonly maxLag?: Duration;

  /**
   * How long a rollback waits for a replay that is further behind, before it stays with the target; up to a day.
   * @default Duration.minutes(15)
   */
  readonly catchUp?: Duration;

  /**
   * How long the rest of the replay may take in the hold.
   * @default Duration.seconds(3)
   */
  readonly transferTimeout?: Duration;

  /**
   * How long `verify` may take. Both together must fit into `maxPause`.
   * @default Duration.seconds(1)
   */
  readonly verifyTimeout?: Duration;
}

/** What follows a verdict of the judge that is no promotion. */
export enum JudgeAction {
  /** The weights stay, and a person is asked, for as long as for an approval. */
  PAUSE = 'pause',
  /** The cutover rolls back. */
  ROLL_BACK = 'rollBack',
}

/** Whether the kind of a connection counts when a drain closes those that are over their time. */
export enum CloseKinds {
  /** Requests go before WebSocket connections, these before streams, and other streaming responses last. */
  SHORT_LIVED_FIRST = 'shortLivedFirst',
  /** All kinds together. */
  TOGETHER = 'together',
}

/** Which connections of the same path and kind a drain closes first. */
export enum CloseAge {
  /** Those that live longest. */
  OLDEST_FIRST = 'oldestFirst',
  /** Those that came last. */
  YOUNGEST_FIRST = 'youngestFirst',
}

/** What happens when a rollback finds too few healthy targets at the side that gets its traffic back. */
export enum RollbackCapacity {
  /** They are not counted. */
  IGNORE = 'ignore',
  /** It waits for them. */
  WAIT = 'wait',
  /** It also raises the desired count of the ECS service. The function of the rollback gets the right to do so. */
  SCALE_OUT = 'scaleOut',
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
  /** They are replayed on the source: a rollback waits in a hold until it has the last of them. See `replay`. */
  REPLAY = 'replay',
  /** They are lost to the source. */
  ACCEPT_LOSS = 'acceptLoss',
}

/** One step of a plan: set these weights, then watch. */
export interface CutoverStage {
  /** The weights of this stage; those of the last one have 0 on the source. */
  readonly weights: TrafficWeights;

  /**
   * How long to watch before the next stage, at least.
   * @default Duration.minutes(5)
   */
  readonly bake?: Duration;

  /**
   * How long to watch at the most, where the side that gets the traffic has not been proven by then.
   * @default - twice `bake`
   */
  readonly maximumBake?: Duration;
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

/** What ends a bake early. */
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
}

/**
 * How the side that gets the traffic is compared with the one that is left, and what a promotion takes.
 *
 * @example
 * const plan = CutoverPlan.gradual({
 *   judge: { errorBudget: 0.005, latencyTolerance: 0.1, routes: ['/checkout', '/search'] },
 * });
 */
export interface CutoverJudge {
  /**
   * How sure a promotion is, from 0.0001 to 1, and no number of errors that are allowed: 0.01 takes 299 requests without an error, and
   * more where there was one.
   * @default 0.01
   */
  readonly errorBudget?: number;

  /**
   * How much more often it may be slow, from 0 to 3: 0.2 allows 1.2 times as often.
   * @default 0.2
   */
  readonly latencyTolerance?: number;

  /**
   * How long after a shift it is not compared; at most a quarter of the bake.
   * @default Duration.seconds(10)
   */
  readonly warmUp?: Duration;

  /**
   * What happens when a bake at its maximum has proven nothing.
   * @default JudgeAction.PAUSE
   */
  readonly inconclusive?: JudgeAction;

  /**
   * What happens when the figures speak against the side that gets the traffic. A side that does not serve is left at once all the same.
   * @default JudgeAction.ROLL_BACK
   */
  readonly onFailure?: JudgeAction;

  /**
   * The paths that are compared each by itself, with all below them; at most eight.
   * @default - the most frequent first segments of the paths
   */
  readonly routes?: string[];
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

  /**
   * Which WebSockets and event streams move to the other backend while their clients stay connected, instead of being closed. The
   * proxies of the side that is left carry them until their tasks end.
   * @default ConnectionMoves.RESUMABLE
   */
  readonly moves?: ConnectionMoves;

  /**
   * Which of them it closes first.
   * @default - short-lived kinds first, and the oldest of a kind
   */
  readonly order?: CutoverCloseOrder;
}

/**
 * Whom a drain closes first of the connections that are over their time: by path, then by kind, then by age.
 *
 * @example
 * const plan = CutoverPlan.gradual({
 *   drain: {
 *     order: { paths: ['/feed', '/chat/*'], kinds: CloseKinds.TOGETHER, age: CloseAge.YOUNGEST_FIRST },
 *   },
 * });
 */
export interface CutoverCloseOrder {
  /**
   * Paths whose connections are closed before all others, the first one first; `*` stands for anything. At most 20, without a query.
   * @default - none
   */
  readonly paths?: string[];

  /**
   * Whether short-lived kinds go first.
   * @default CloseKinds.SHORT_LIVED_FIRST
   */
  readonly kinds?: CloseKinds;

  /**
   * Which go first of the same path and kind.
   * @default CloseAge.OLDEST_FIRST
   */
  readonly age?: CloseAge;
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
   * Before which other stages to ask, from 1.
   * @default - none
   */
  readonly beforeStages?: number[];

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

/**
 * What becomes of clients that a cookie of the load balancer binds to the side that is left.
 *
 * @example
 * const plan = CutoverPlan.gradual({ stickiness: CutoverStickiness.keep(Duration.hours(8)) });
 */
export class CutoverStickiness {
  /**
   * They stay, also when the side has no weight any more, until none returns.
   *
   * @param limit after the last shift, up to a day; then they move. One hour by default
   */
  public static keep(limit?: Duration): CutoverStickiness {
    return new CutoverStickiness('keep', { keepSeconds: limit });
  }

  /**
   * A client that pauses for longer than this counts as new, from the first shift on. The last stage moves the others.
   *
   * @param cookie how long a cookie lasts, from 1 second to 7 days
   */
  public static shorten(cookie: Duration): CutoverStickiness {
    return new CutoverStickiness('shorten', { shortenSeconds: cookie });
  }

  /**
   * They stay until a stage. From then on their cookies last a second.
   *
   * @param stage from 1; without it the last one, which moves all of them at once
   */
  public static endAtStage(stage?: number): CutoverStickiness {
    return new CutoverStickiness('endAtStage', {}, stage);
  }

  private constructor(
    private readonly policy: string,
    private readonly seconds: Readonly<Record<string, Duration | undefined>>,
    private readonly stage?: number,
  ) {}

  /** @internal */
  public _render(read: (value: number | undefined) => number | undefined): object {
    const seconds = Object.entries(this.seconds).map(([name, duration]) => [name, read(duration?.toSeconds())]);
    return {
      policy: this.policy,
      ...(Object.fromEntries(seconds) as object),
      ...(this.stage !== undefined && { endAtStage: read(this.stage) }),
    };
  }
}

/** A day of the week. */
export enum CutoverDay {
  MONDAY = 'mon',
  TUESDAY = 'tue',
  WEDNESDAY = 'wed',
  THURSDAY = 'thu',
  FRIDAY = 'fri',
  SATURDAY = 'sat',
  SUNDAY = 'sun',
}

/**
 * When a shift may begin.
 *
 * @example
 * const plan = CutoverPlan.gradual({
 *   windows: [{ days: [CutoverDay.SATURDAY], from: '22:00', to: '04:00', zone: TimeZone.EUROPE_BERLIN }],
 * });
 */
export interface CutoverWindow {
  /**
   * The days on which it begins.
   * @default - every day
   */
  readonly days?: CutoverDay[];

  /** When it begins, as in `22:00`. */
  readonly from: string;

  /** When it ends, as in `04:00`: at least 15 minutes later, on the next day where it is not after `from`. */
  readonly to: string;

  /**
   * The time zone of both.
   * @default TimeZone.ETC_UTC
   */
  readonly zone?: TimeZone;
}

/**
 * How a rollback gives traffic to a side that has been without it: one that was scaled in, or whose caches are cold. All steps and
 * the wait take less than four minutes together. A side that serves nothing is left at once.
 *
 * @example
 * const plan = CutoverPlan.gradual({
 *   rollbackPace: {
 *     steps: [25, 50],
 *     look: Duration.seconds(30),
 *     capacity: RollbackCapacity.SCALE_OUT,
 *     wait: Duration.minutes(2),
 *   },
 * });
 */
export interface CutoverRollbackPace {
  /**
   * The percentage of new clients that the side that was left has after each step, ascending. The initial weights follow.
   * @default - none: it has the initial weights at once
   */
  readonly steps?: number[];

  /**
   * How long the side must serve at a step before the next one.
   * @default Duration.seconds(20)
   */
  readonly look?: Duration;

  /**
   * What happens when it has too few healthy targets for the first step.
   * @default RollbackCapacity.IGNORE
   */
  readonly capacity?: RollbackCapacity;

  /**
   * How many healthy targets it needs.
   * @default - as many as at preflight
   */
  readonly minimumHealthyTargets?: number;

  /**
   * How long to wait for them. Then it goes on, and says so.
   * @default Duration.minutes(1)
   */
  readonly wait?: Duration;
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
   * How often the state machine has both sides checked: up to 14 minutes. Each time they are looked at every two seconds for this long, so
   * that a longer one saves events of its history, and no look.
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
   * How the side that gets the traffic is compared with the one that is left.
   * @default - the defaults of its parts
   */
  readonly judge?: CutoverJudge;

  /**
   * How the connections of the side that is left end after the last stage.
   * @default - the defaults of its parts
   */
  readonly drain?: CutoverDrain;

  /**
   * What becomes of clients that a cookie binds to the side that is left. A switch moves all of them at once.
   * @default CutoverStickiness.endAtStage()
   */
  readonly stickiness?: CutoverStickiness;

  /**
   * When a shift may begin: the cutover waits for the next window, and judges both sides meanwhile. A rollback waits for none.
   * @default - at any time
   */
  readonly windows?: CutoverWindow[];

  /**
   * How a rollback gives traffic back to a side that has been without it. A switch moves all at once.
   * @default - the initial weights at once
   */
  readonly rollbackPace?: CutoverRollbackPace;

  /**
   * What the capture of the side that is left must be like before anything moves, and before each further stage.
   * @default - it is not asked for
   */
  readonly capture?: CutoverCapture;

  /**
   * Where a person has to agree before it goes on.
   * @default - nowhere
   */
  readonly approval?: CutoverApproval;

  /**
   * What is called before and after the phases of the cutover, one after the other in this order.
   * @default - none: nothing is called
   */
  readonly hooks?: CutoverHook[];
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
   * Takes the state of the application along, and proves that both sides agree. In place of `hook`.
   * @default - none: nothing is carried
   */
  readonly state?: StateTransfer;

  /**
   * The replays that take along what a side has served. With `PointOfNoReturn.REPLAY`, and only with it.
   * @default - none
   */
  readonly replay?: SwitchReplay;

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
   * How long both sides are watched after the switch, before the side that was left is drained; at least.
   * @default Duration.minutes(5)
   */
  readonly bake?: Duration;

  /**
   * How long they are watched at the most, where the side that got the traffic has not been proven by then.
   * @default - twice `bake`
   */
  readonly maximumBake?: Duration;

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
   * A few percent of the traffic first, then all of it.
   *
   * @param percent of the first stage, from 0.1 to 99.9 with one decimal
   * @param bake how long each of the two stages is watched, at least
   *
   * @example
   * const plan = CutoverPlan.canary(5, Duration.minutes(10), { smoke: [{ path: '/login' }] });
   */
  public static canary(percent: number, bake: Duration, options?: CutoverPlanOptions): CutoverPlan {
    return CutoverPlan.shorthand('canary', percent, bake, options ?? {});
  }

  /**
   * The same share of the traffic more at each stage.
   *
   * @param percent more at each stage, from 2 to 99.9 with one decimal; the last stage has what is left
   * @param bake how long each stage is watched, at least
   *
   * @example
   * const plan = CutoverPlan.linear(10, Duration.minutes(6), { approval: { beforeLastStage: true } });
   */
  public static linear(percent: number, bake: Duration, options?: CutoverPlanOptions): CutoverPlan {
    return CutoverPlan.shorthand('linear', percent, bake, options ?? {});
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
    return new CutoverPlan('drainThenShift', props, (read) => renderSwitch(props, read), [props.hook, props.state]);
  }

  private static shorthand(word: string, percent: number, bake: Duration, options: CutoverPlanOptions): CutoverPlan {
    checkNames('CutoverPlanOptions', options);
    return new CutoverPlan('gradual', options, ({ number }) => ({
      stages: `${word}(${number(percent, 50)}, ${number(bake.toSeconds())})`,
    }));
  }

  private constructor(
    private readonly strategy: Plan['strategy'],
    private readonly props: CutoverPlanOptions,
    /** The parts that the strategy has for itself. */
    private readonly renderOwn: (read: Readers) => object,
    private readonly hooks: readonly (SwitchHook | StateTransfer | undefined)[] = [],
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
   * Whether it moves live connections: the proxies must then know each other's backend.
   *
   * @internal
   */
  public get _moves(): boolean {
    return this.props.drain?.moves !== ConnectionMoves.NONE;
  }

  /**
   * Whether a rollback may raise the desired count of a side.
   *
   * @internal
   */
  public get _scalesOut(): boolean {
    return this.props.rollbackPace?.capacity === RollbackCapacity.SCALE_OUT;
  }

  /**
   * The functions that its hooks call.
   *
   * @internal
   */
  public get _hookFunctionArns(): Readonly<Record<'switch' | 'phases', readonly string[]>> {
    const ofSwitch = this.hooks.flatMap((hook) => hook?._functionArn ?? []);
    const ofPhases = (this.props.hooks ?? []).flatMap(({ _functionArn }) => _functionArn ?? []);
    return { switch: ofSwitch, phases: ofPhases };
  }

  /**
   * What the steps that switch must be able to read.
   *
   * @internal
   */
  public get _storeSecrets(): ISecret[] {
    return this.hooks.flatMap((hook) => (hook instanceof StateTransfer ? hook._secrets : []));
  }

  /**
   * The hosts that the steps that switch call.
   *
   * @internal
   */
  public get _hosts(): CheckpointHosts | undefined {
    const [hosts] = this.hooks.flatMap((hook) => (hook instanceof StateTransfer ? (hook._hosts ?? []) : []));
    return hosts;
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
    stages: stages?.map(({ weights, bake, maximumBake }) => ({
      weights: renderWeights(weights, read),
      ...renderBake(bake, maximumBake, read),
    })),
  };
}

/** Where only one of the two is known at synthesis the other stands in for it: which is longer is checked at deployment. */
function renderBake(bake: Duration | undefined, maximumBake: Duration | undefined, read: ReadNumber): object {
  const least = bake?.toSeconds();
  const most = maximumBake?.toSeconds();
  const known = [least, most].find((seconds) => seconds !== undefined && !isLater(seconds));
  return {
    bakeSeconds: read(least),
    ...(most !== undefined && { maximumBakeSeconds: read(most, known ?? 300) }),
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
    ...((props.bake ?? props.maximumBake) && {
      stages: [{ weights: ALL_ON[otherSide(props)], ...renderBake(props.bake, props.maximumBake, read) }],
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
      state: props.state?._render(read, path),
      replay: props.replay && renderReplay(props.replay, read, path),
      rampPerSecond: read(props.rampPerSecond),
      rollback: props.rollback,
      pointOfNoReturn: props.pointOfNoReturn,
      dryRun: props.dryRun,
    },
  };
}

function renderReplay(props: SwitchReplay, read: ReadNumber, path: ReadPath): object {
  const { toSource, toTarget, verify, maxLag, catchUp, transferTimeout, verifyTimeout } = props;
  return {
    ...{ toSource, toTarget },
    verifyPath: path(verify),
    maxLagSeconds: read(maxLag?.toSeconds()),
    catchUpSeconds: read(catchUp?.toSeconds()),
    timeoutMs: {
      transfer: read(transferTimeout?.toMilliseconds(), PART_LIMITS.transfer.min),
      verify: read(verifyTimeout?.toMilliseconds(), PART_LIMITS.verify.min),
    },
  };
}

function renderDrain(drain: CutoverDrain, { number: read, path: readPath }: Readers): object {
  const seconds = (duration: Duration | undefined) => read(duration?.toSeconds());
  return {
    perKindSeconds: {
      http: seconds(drain.requests),
      websocket: seconds(drain.webSockets),
      grpcStream: seconds(drain.streams),
      serverSentEvents: seconds(drain.streams),
      streaming: seconds(drain.streamingResponses),
    },
    closeRatePerSecond: read(drain.closeRatePerSecond),
    moves: drain.moves,
    order: drain.order && {
      paths: drain.order.paths?.map((path) => ({ path: readPath(path) })),
      kinds: drain.order.kinds,
      age: drain.order.age,
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
    },
    judge: props.judge && {
      errorBudget: read(props.judge.errorBudget),
      latencyTolerance: read(props.judge.latencyTolerance),
      warmUpSeconds: seconds(props.judge.warmUp),
      inconclusive: props.judge.inconclusive,
      onFailure: props.judge.onFailure,
      routes: props.judge.routes?.map((route) => ({ path: readPath(route) })),
    },
    drain: props.drain && renderDrain(props.drain, { number: read, path: readPath }),
    stickiness: props.stickiness?._render(read),
    windows: props.windows?.map(({ days, from: begins, to, zone }) => ({
      days,
      from: begins,
      to,
      zone: zone?.timezoneName,
    })),
    rollbackPace: props.rollbackPace && {
      // Any ascending list stands for one that is known at deployment.
      steps: props.rollbackPace.steps?.map((step, index) => read(step, index + 1)),
      lookSeconds: seconds(props.rollbackPace.look),
      capacity: props.rollbackPace.capacity,
      minimumHealthyTargets: read(props.rollbackPace.minimumHealthyTargets),
      waitSeconds: seconds(props.rollbackPace.wait),
    },
    capture: props.capture && {
      maxUnrecorded: read(props.capture.maxUnrecorded),
      maxPendingSeconds: seconds(props.capture.maxPending),
      replay: props.capture.replay && {
        name: props.capture.replay.name,
        maxLagSeconds: seconds(props.capture.replay.maxLag),
        forSeconds: seconds(props.capture.replay.within),
        comparison: props.capture.replay.mustPromote === true ? 'promote' : undefined,
      },
    },
    approval: props.approval && {
      beforeFirstShift: props.approval.beforeFirstShift,
      beforeLastStage: props.approval.beforeLastStage,
      beforeStages: props.approval.beforeStages,
      timeoutSeconds: seconds(props.approval.timeout),
      requireIdentity: props.approval.requireIdentity,
    },
    hooks: props.hooks?.map((hook) => hook._render(read, readPath)),
  };
}
