import { Duration } from 'aws-cdk-lib';
import { IFunction } from 'aws-cdk-lib/aws-lambda';
import { checkNames } from '../validation/known-props';

/** When a hook is called. Those of a shift and of a bake are called at each stage. */
export enum CutoverHookTime {
  /** Before the checks: nothing has moved. */
  BEFORE_PREFLIGHT = 'beforePreflight',
  /** After the checks and the first approval: nothing has moved. */
  AFTER_PREFLIGHT = 'afterPreflight',
  /** Before the weights of a stage are set, or before an attempt to switch. */
  BEFORE_SHIFT = 'beforeShift',
  /** Once the weights of a stage have read back. */
  AFTER_SHIFT = 'afterShift',
  /** Before a stage is watched. */
  BEFORE_BAKE = 'beforeBake',
  /** Once a stage was watched, and is to be promoted. */
  AFTER_BAKE = 'afterBake',
  /** Before the connections of the side that is left are drained. */
  BEFORE_DRAIN = 'beforeDrain',
  /** Once that side has no connection any more. */
  AFTER_DRAIN = 'afterDrain',
  /** Before the last check. */
  BEFORE_VERIFY = 'beforeVerify',
  /** Once the last check has passed: the last point at which a hook can roll back. */
  AFTER_VERIFY = 'afterVerify',
  /** Before the cutover is completed. It stops nothing. */
  BEFORE_COMPLETE = 'beforeComplete',
  /** When all but the evidence is done. It stops nothing. */
  AFTER_COMPLETE = 'afterComplete',
  /** When a rollback begins: the weights do not wait for it. */
  BEFORE_ROLLBACK = 'beforeRollback',
  /** Once the weights are back. It stops nothing. */
  AFTER_ROLLBACK = 'afterRollback',
}

/** What follows a hook that fails, or says no. */
export enum CutoverHookFailure {
  /** The cutover rolls back; where nothing has moved it ends. */
  ROLL_BACK = 'rollBack',
  /** A person is asked, for as long as for an approval. */
  PAUSE = 'pause',
  /** It is noted, and the cutover goes on. */
  CONTINUE = 'continue',
}

/** Whose backend is called. */
export enum CutoverHookSide {
  /** Of the side that gets the traffic. */
  TO = 'to',
  /** Of the side that is left. */
  FROM = 'from',
}

/** What every hook of a phase has. */
export interface CutoverHookOptions {
  /** Its name in messages and in the evidence: up to 40 letters, digits, `-` and `_`. No two hooks of a plan have the same. */
  readonly name: string;

  /** When it is called. */
  readonly when: CutoverHookTime;

  /**
   * How long a call may take, with its repetitions, from 1 to 20 seconds. Then it has failed.
   * @default Duration.seconds(10)
   */
  readonly timeout?: Duration;

  /**
   * How long it may say not yet, from its first call on, up to a day. Then it has failed. Meanwhile both sides are judged.
   * @default - 10 minutes; none of hooks that stop nothing, which may not say so
   */
  readonly wait?: Duration;

  /**
   * What follows when it fails or says no.
   * @default - `ROLL_BACK`; `CONTINUE` of hooks that stop nothing, which take no other
   */
  readonly onFailure?: CutoverHookFailure;
}

/** What a hook that calls a backend has. */
export interface HttpCutoverHookProps extends CutoverHookOptions {
  /** The path of the backend that is called by POST, through a proxy of its side. */
  readonly path: string;

  /**
   * Whose backend it is.
   * @default CutoverHookSide.TO
   */
  readonly side?: CutoverHookSide;
}

/** What a hook that calls a URL has. */
export interface UrlCutoverHookProps extends CutoverHookOptions {
  /**
   * The URL that is called by POST, from the network of the cutover: `https`, with a certificate of a public authority, or `http`.
   * Where `apiPeers` is given, or the port is not 443, let the cutover out to it: `cutover.connections.allowTo(…)`.
   */
  readonly url: string;
}

/**
 * A function, a backend or a URL that is called between two phases of a cutover, and may say no.
 *
 * It is given `{"hook", "when", "key", "execution", "stage", "weights", …}`, and responds with
 * `{"ok": true, "key": "…"}`, the key being that of the call, or with `{"ok": false, "why": "…"}`. A call is repeated with the same key.
 *
 * It may respond as a lifecycle hook of ECS does, too: `{"hookStatus": "SUCCEEDED"}`, `FAILED`, or not yet with
 * `{"hookStatus": "IN_PROGRESS", "callBackDelay": 60}`, which has it called again after so many seconds (30 without).
 *
 * @example
 * const plan = CutoverPlan.gradual({
 *   hooks: [
 *     CutoverHook.http({
 *       name: 'self-test',
 *       when: CutoverHookTime.AFTER_SHIFT,
 *       path: '/internal/self-test',
 *       onFailure: CutoverHookFailure.PAUSE,
 *     }),
 *     CutoverHook.url({
 *       name: 'status-page',
 *       when: CutoverHookTime.AFTER_ROLLBACK,
 *       url: 'https://status.example.com/hooks/cutover',
 *     }),
 *   ],
 * });
 */
export class CutoverHook {
  /**
   * Calls a function. The steps of the cutover get the right to invoke this function and no other: for an alias or a version give
   * that one. A function of another account must allow them by its own policy.
   */
  public static lambda(handler: IFunction, options: CutoverHookOptions): CutoverHook {
    checkNames('CutoverHookOptions', options);
    return new CutoverHook(options, {}, handler);
  }

  /** Calls the backend of a side over HTTP/1.1. */
  public static http(props: HttpCutoverHookProps): CutoverHook {
    checkNames('HttpCutoverHookProps', props);
    const { path, side } = props;
    return new CutoverHook(props, { path, side });
  }

  /** Calls a URL. */
  public static url(props: UrlCutoverHookProps): CutoverHook {
    checkNames('UrlCutoverHookProps', props);
    return new CutoverHook(props, { url: props.url });
  }

  private constructor(
    private readonly options: CutoverHookOptions,
    private readonly callee: { readonly path?: string; readonly side?: CutoverHookSide; readonly url?: string },
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
    const { name, when, timeout, wait, onFailure } = this.options;
    const { path, side, url } = this.callee;
    return {
      name,
      when,
      ...(this.handler && { functionArn: text(this.handler.functionArn, LEGAL_FUNCTION_ARN) }),
      ...(path !== undefined && { http: { side, path: text(path, '/') } }),
      ...(url !== undefined && { url: text(url, 'https://known-later.example.com') }),
      timeoutSeconds: number(timeout?.toSeconds()),
      waitSeconds: number(wait?.toSeconds()),
      onFailure,
    };
  }
}

/** Stands for one that is known only at deployment. */
export const LEGAL_FUNCTION_ARN = 'arn:aws:lambda:us-east-1:111122223333:function:known-later';
