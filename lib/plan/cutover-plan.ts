import { Duration } from 'aws-cdk-lib';
import { DEFAULT_SMOKE, parsePlan } from '../../core/plan/plan';
import { checkNames } from '../validation/known-props';
import { isLater } from '../validation/validation';
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
   * The error rate of the target, from 0 to 1, over which a cutover rolls back.
   * @default 0.05
   */
  readonly maximumErrorRate?: number;

  /**
   * A stage whose target saw fewer requests does not pass.
   * @default 10
   */
  readonly minimumRequests?: number;
}

/** How the source's connections end once no new ones come. */
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
   * Whether to ask before the last stage, which leaves nothing on the source.
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

/** A plan of stages with a bake each. */
export interface GradualPlanProps {
  /**
   * The stages in their order.
   * @default - 10, 50, 90 and 100 of 100 on the target, five minutes each
   */
  readonly stages?: CutoverStage[];

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
   * When errors of the target end the cutover.
   * @default - the defaults of its parts
   */
  readonly breaker?: CutoverBreaker;

  /**
   * How the source's connections end after the last stage.
   * @default - the defaults of its parts
   */
  readonly drain?: CutoverDrain;

  /**
   * Where a person has to agree before it goes on.
   * @default - nowhere
   */
  readonly approval?: CutoverApproval;
}

type ReadNumber = (value: number | undefined) => number | undefined;
type ReadPath = (path: string) => string;

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
    return new CutoverPlan(props ?? {});
  }

  private constructor(private readonly props: GradualPlanProps) {}

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
    // What is known only at deployment is checked then; 1 is legal wherever a plan has a number.
    const known: ReadNumber = (value) => {
      if (!isLater(value)) return value;
      deferred = true;
      return 1;
    };
    const knownPath: ReadPath = (path) => {
      if (!isLater(path)) return path;
      deferred = true;
      return '/';
    };
    const checked = parsePlan(render(this.props, initialWeights, known, knownPath));
    return deferred ? render(this.props, initialWeights, (value) => value) : checked;
  }
}

function render(
  props: GradualPlanProps,
  initialWeights: TrafficWeights,
  read: ReadNumber,
  readPath: ReadPath = (path) => path,
): object {
  const seconds = (duration: Duration | undefined) => read(duration?.toSeconds());
  const weights = (value: TrafficWeights) => ({ source: read(value.source), target: read(value.target) });
  return {
    strategy: 'gradual',
    initialWeights: weights(initialWeights),
    stages: props.stages?.map((stage) => ({ weights: weights(stage.weights), bakeSeconds: seconds(stage.bake) })),
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
