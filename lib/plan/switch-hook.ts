import { Duration } from 'aws-cdk-lib';
import { IFunction } from 'aws-cdk-lib/aws-lambda';
import { checkNames } from '../validation/known-props';
import { LEGAL_FUNCTION_ARN } from './cutover-hook';

/** How long each part of a hook may take, each up to 25 seconds. Those before the decision must fit into `maxPause` together. */
export interface SwitchHookTimeouts {
  /**
   * For the freeze of the side that is left.
   * @default Duration.seconds(1)
   */
  readonly freeze?: Duration;

  /**
   * For the write that the frozen side must reject.
   * @default Duration.millis(500)
   */
  readonly probeWrite?: Duration;

  /**
   * For the transfer of state to the side that is switched to.
   * @default Duration.seconds(1)
   */
  readonly transfer?: Duration;

  /**
   * For the verification.
   * @default Duration.seconds(1)
   */
  readonly verify?: Duration;

  /**
   * For each of three attempts to thaw the side that serves, up to 3 seconds.
   * @default Duration.seconds(1)
   */
  readonly thaw?: Duration;
}

/** A write that shows whether a side is frozen: accepted by the source in preflight, and rejected once it is frozen. */
export interface SwitchProbeWrite {
  /** The path that it goes to, with an empty body. It must do no harm. */
  readonly path: string;

  /**
   * POST, PUT, PATCH or DELETE.
   * @default POST
   */
  readonly method?: string;
}

/** What every hook has. */
export interface SwitchHookOptions {
  /**
   * How long each part may take.
   * @default - the defaults of its parts
   */
  readonly timeouts?: SwitchHookTimeouts;

  /**
   * A write that the frozen side must reject with a status of 400 or more.
   * @default - none: a freeze then counts as no fence
   */
  readonly probeWrite?: SwitchProbeWrite;
}

/** The paths of both backends that are called by POST, through a proxy. At least one before the decision must be there. */
export interface HttpSwitchHookProps extends SwitchHookOptions {
  /**
   * The side that is left rejects writes from then on. It needs `thaw`.
   * @default - nothing is frozen
   */
  readonly freeze?: string;

  /**
   * The side that is switched to fetches what it needs from the other one.
   * @default - nothing is transferred
   */
  readonly transfer?: string;

  /**
   * Both sides say whether they are ready, and where they have a digest the same one.
   * @default - nothing is verified
   */
  readonly verify?: string;

  /**
   * The side that serves after the decision accepts writes.
   * @default - nothing is thawed
   */
  readonly thaw?: string;
}

/**
 * What freezes the side that is left, takes state along and verifies it, while requests wait for the decision of a switch.
 *
 * @example
 * const plan = CutoverPlan.drainThenShift({
 *   pointOfNoReturn: PointOfNoReturn.SHARED,
 *   hook: SwitchHook.http({
 *     freeze: '/internal/freeze',
 *     thaw: '/internal/thaw',
 *     probeWrite: { path: '/internal/probe-write' },
 *   }),
 * });
 */
export class SwitchHook {
  /**
   * Calls a function for each part. The steps of the cutover get the right to invoke this function and no other: for an alias
   * or a version give that one. A function of another account must allow them by its own policy.
   */
  public static lambda(handler: IFunction, options: SwitchHookOptions = {}): SwitchHook {
    checkNames('SwitchHookOptions', options);
    return new SwitchHook(options, handler);
  }

  /** Calls both backends over HTTP/1.1. */
  public static http(props: HttpSwitchHookProps): SwitchHook {
    checkNames('HttpSwitchHookProps', props);
    return new SwitchHook(props);
  }

  private constructor(
    private readonly props: HttpSwitchHookProps,
    private readonly handler?: IFunction,
  ) {}

  /**
   * Of its function.
   *
   * @internal
   */
  public get _functionArn(): string | undefined {
    return this.handler?.functionArn;
  }

  /**
   * As a plan has it.
   *
   * @internal
   * @param text what stands for a text that is known only at deployment
   */
  public _render(
    number: (value: number | undefined, legal?: number) => number | undefined,
    text: (value: string, legal: string) => string,
  ): object {
    const { freeze, transfer, verify, thaw, probeWrite, timeouts } = this.props;
    const path = (value: string | undefined) => (value === undefined ? undefined : text(value, '/'));
    return {
      ...(this.handler
        ? { functionArn: text(this.handler.functionArn, LEGAL_FUNCTION_ARN) }
        : { http: { freeze: path(freeze), transfer: path(transfer), verify: path(verify), thaw: path(thaw) } }),
      ...renderProbeWrite(probeWrite, text),
      timeoutMs: renderTimeouts(timeouts, number),
    };
  }
}

/** As a plan has it. */
export function renderProbeWrite(
  write: SwitchProbeWrite | undefined,
  text: (value: string, legal: string) => string,
): object {
  return write ? { probeWrite: { method: write.method, path: text(write.path, '/') } } : {};
}

/** As a plan has them. */
export function renderTimeouts(
  { freeze, probeWrite, transfer, verify, thaw }: SwitchHookTimeouts = {},
  number: (value: number | undefined, legal?: number) => number | undefined,
): object {
  // 50 is the shortest limit: what is known only at deployment is checked then.
  const ms = (limit: Duration | undefined) => number(limit?.toMilliseconds(), 50);
  return {
    freeze: ms(freeze),
    probeWrite: ms(probeWrite),
    transfer: ms(transfer),
    verify: ms(verify),
    thaw: ms(thaw),
  };
}
