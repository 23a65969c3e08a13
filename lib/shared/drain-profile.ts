import { Duration } from 'aws-cdk-lib';
import { GRACE_PRESETS, PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { BUDGET_MARGIN_SECONDS } from '../../core/proxy/shutdown-budget';
import { checkDuration, reject } from '../validation/validation';
import { checkNames } from '../validation/known-props';

export interface CustomDrainProps {
  /**
   * How long connections may end by themselves once a proxy is to go: from 0 seconds to 59 minutes 30 seconds.
   */
  readonly drain: Duration;

  /**
   * How long the load balancer leaves connections to a deregistered proxy alone: up to 1 hour.
   * @default - the drain and 30 seconds more
   */
  readonly deregistrationDelay?: Duration;

  /**
   * When ECS kills a proxy that was asked to stop: from 20 seconds to 2 minutes.
   * @default - the drain and 20 seconds more, at most 2 minutes
   */
  readonly stopTimeout?: Duration;
}

/** For how long a load balancer may go on sending new requests to a target that was deregistered. */
const LAST_REQUEST = Duration.seconds(15);
/** Between the end of the drain and that of the deregistration delay, at which connections are cut. */
const BEFORE_CUT = Duration.seconds(15);
const OUTSIDE_DRAIN = LAST_REQUEST.plus(BEFORE_CUT);
const MAX_DELAY = Duration.hours(1);

/** After SIGTERM a proxy goes on accepting for as long as load balancers may still send to it. */
export const PROPAGATION = Duration.seconds(PROXY_SETTINGS.propagation_seconds.default);
/** For closing what is left after the grace period. */
export const SHUTDOWN_TIMEOUT = Duration.seconds(PROXY_SETTINGS.graceful_shutdown_timeout_seconds.default);
/** What of the stop timeout is not grace: these two, and what is to spare. */
const OUTSIDE_GRACE = PROPAGATION.plus(SHUTDOWN_TIMEOUT).plus(Duration.seconds(BUDGET_MARGIN_SECONDS));
/** No container on Fargate is given more; a proxy expects as much unless it is told otherwise. */
const MAX_STOP = Duration.seconds(PROXY_SETTINGS.stop_timeout_seconds.default);

/**
 * How proxies end their connections when they are to go: one decision from which the deregistration delay, the stop timeout
 * and the grace period follow, so that none cuts short what another allows.
 *
 * A proxy that is scaled in is deregistered first, and asked to stop once the deregistration delay has ended: there is room
 * for the whole drain. One that is stopped at once (by hand, or by the end of its spot capacity) has its stop timeout alone,
 * of 2 minutes at most.
 *
 * @example
 * const drainProfile = DrainProfile.custom({ drain: Duration.minutes(20) });
 */
export class DrainProfile {
  /** For requests and short responses: 30 seconds. */
  public static readonly SHORT_LIVED = DrainProfile.custom({ drain: Duration.seconds(GRACE_PRESETS['short-lived']) });

  /** For requests and some WebSockets or streams: 2 minutes. */
  public static readonly MIXED = DrainProfile.custom({ drain: Duration.seconds(GRACE_PRESETS.mixed) });

  /** For applications that live on WebSockets or streams: 5 minutes. */
  public static readonly WEBSOCKET_HEAVY = DrainProfile.custom({
    drain: Duration.seconds(GRACE_PRESETS['websocket-heavy']),
  });

  /** Times of your own. */
  public static custom(props: CustomDrainProps): DrainProfile {
    checkNames('CustomDrainProps', props);
    return new DrainProfile(props);
  }

  /** How long connections may end by themselves. */
  public readonly drain: Duration;

  /** How long the load balancer leaves connections to a deregistered proxy alone. */
  public readonly deregistrationDelay: Duration;

  /** When ECS kills a proxy that was asked to stop. */
  public readonly stopTimeout: Duration;

  /**
   * For how long a proxy that is asked to stop lets its connections end: as much of the drain as fits into the stop timeout.
   * None where one of the two is known only at deployment; the proxy then uses what fits.
   */
  public readonly gracePeriod?: Duration;

  private constructor(props: CustomDrainProps) {
    const { drain } = props;
    checkDuration('drain', drain, { min: Duration.seconds(0), max: minus(MAX_DELAY, OUTSIDE_DRAIN) });
    this.drain = drain;
    this.deregistrationDelay = props.deregistrationDelay ?? needed('deregistrationDelay', drain, OUTSIDE_DRAIN);
    this.stopTimeout = props.stopTimeout ?? shorter(needed('stopTimeout', drain, OUTSIDE_GRACE), MAX_STOP);
    checkDuration('deregistrationDelay', this.deregistrationDelay, { min: Duration.seconds(0), max: MAX_DELAY });
    checkDuration('stopTimeout', this.stopTimeout, { min: OUTSIDE_GRACE, max: MAX_STOP });
    this._checkDelay('deregistrationDelay', this.deregistrationDelay);
    this.checkStopTimeout();
    const isKnown = !drain.isUnresolved() && !this.stopTimeout.isUnresolved();
    this.gracePeriod = isKnown ? shorter(drain, minus(this.stopTimeout, OUTSIDE_GRACE)) : undefined;
  }

  /**
   * Rejects a delay at whose end the drain still goes on.
   *
   * @internal
   */
  public _checkDelay(name: string, delay: Duration): void {
    const problem = this._delayProblem(delay);
    if (problem) reject(name, problem.rule, problem.value);
  }

  /** @internal */
  public _delayProblem(delay: Duration): { readonly rule: string; readonly value: string } | undefined {
    if (delay.isUnresolved() || this.drain.isUnresolved()) return undefined;
    const min = this.drain.plus(OUTSIDE_DRAIN);
    if (delay.toSeconds() >= min.toSeconds()) return undefined;
    const why = `${LAST_REQUEST.toSeconds()} s for the last requests + drain ${this.drain.toSeconds()} s + a margin of ${BEFORE_CUT.toSeconds()} s`;
    return { rule: `at least ${min.toSeconds()} s (${why})`, value: `${delay.toSeconds()} s` };
  }

  private checkStopTimeout(): void {
    if (this.stopTimeout.isUnresolved() || this.drain.isUnresolved()) return;
    const min = shorter(this.drain.plus(OUTSIDE_GRACE), MAX_STOP).toSeconds();
    if (this.stopTimeout.toSeconds() >= min) return;
    const why = `drain ${this.drain.toSeconds()} s + ${OUTSIDE_GRACE.toSeconds()} s, or what ECS grants at most`;
    reject('stopTimeout', `at least ${min} s (${why})`, `${this.stopTimeout.toSeconds()} s`);
  }
}

function needed(name: string, drain: Duration, beside: Duration): Duration {
  if (drain.isUnresolved()) reject(name, "given, where 'drain' is known only at deployment", 'nothing');
  return drain.plus(beside);
}

function minus(one: Duration, other: Duration): Duration {
  return Duration.seconds(one.toSeconds() - other.toSeconds());
}

function shorter(one: Duration, other: Duration): Duration {
  return one.toSeconds() <= other.toSeconds() ? one : other;
}
