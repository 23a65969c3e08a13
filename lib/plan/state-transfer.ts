import { Duration, Size } from 'aws-cdk-lib';
import { IFunction } from 'aws-cdk-lib/aws-lambda';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { checkNames } from '../validation/known-props';
import { CheckpointHosts } from './checkpoint-hosts';
import { LEGAL_FUNCTION_ARN } from './cutover-hook';
import { SwitchHookTimeouts, SwitchProbeWrite, renderProbeWrite, renderTimeouts } from './switch-hook';

const LEGAL_SECRET_ARN = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:a';

/** What every transfer of state has. */
export interface StateTransferOptions {
  /**
   * How long the copy before the hold may take, while the side that is left serves; from a second to an hour.
   * @default Duration.minutes(10)
   */
  readonly prepareTimeout?: Duration;

  /**
   * A copy of more than this is given up.
   * @default Size.gibibytes(10)
   */
  readonly maxSize?: Size;

  /**
   * How long each part in the hold may take. Those before the decision must fit into `maxPause` together.
   * @default - the defaults of its parts
   */
  readonly timeouts?: SwitchHookTimeouts;

  /**
   * A write that the frozen side must reject with a status of 400 or more.
   * @default - none: a freeze then counts as no fence
   */
  readonly probeWrite?: SwitchProbeWrite;
}

/** The application exports and imports its own state. */
export interface HttpStateTransferProps extends StateTransferOptions {
  /**
   * Below it are `freeze`, `export`, `import`, `digest` and `thaw`, at both backends: `/internal/state`. `TransferableState` of
   * `drainshift/app` responds to them.
   */
  readonly path: string;
}

/** A Valkey or Redis in which an application keeps its state. */
export interface StateStore {
  /** `rediss://host:port/database`, without a user and a password. */
  readonly url: string;

  /**
   * JSON with the fields `username` and `password`. The steps that switch get the right to read it.
   * @default - none: the store needs no password
   */
  readonly secret?: ISecret;

  /**
   * Certificates in PEM that the store's own is trusted by.
   * @default - the public authorities
   */
  readonly caPem?: string;
}

/** How the keys of one store get to the other. */
export enum ValkeyMethod {
  /** The steps copy key by key, and compare. Services such as ElastiCache allow it. */
  COPY = 'copy',
  /**
   * The target replicates the source, with all its databases, and takes its place by FAILOVER. Both servers must allow REPLICAOF and FAILOVER.
   */
  REPLICATE = 'replicate',
}

/** The state of the application is in one store for each side. */
export interface ValkeyStateTransferProps {
  /** The store of the source. */
  readonly source: StateStore;

  /** The store of the target. It must have none of the keys. */
  readonly target: StateStore;

  /**
   * How the keys go along.
   * @default ValkeyMethod.COPY
   */
  readonly method?: ValkeyMethod;

  /**
   * The keys that go along, as a pattern of SCAN: `app:*`.
   * @default - all keys of the database
   */
  readonly keys?: string;

  /**
   * How long the copy before the hold may take, while the side that is left serves; from a second to an hour.
   * @default Duration.minutes(10)
   */
  readonly prepareTimeout?: Duration;

  /**
   * A copy of more than this is given up.
   * @default Size.gibibytes(10)
   */
  readonly maxSize?: Size;

  /**
   * How long each part in the hold may take. Those before the decision must fit into `maxPause` together.
   * @default - the defaults of its parts
   */
  readonly timeouts?: SwitchHookTimeouts;
}

/** The memory of the running application goes along. */
export interface CheckpointStateTransferProps {
  /** What dumps it on one host and restores it on the other. */
  readonly hosts: CheckpointHosts;

  /**
   * Called by POST at both backends, before the dump and behind the restore: both must respond with the same `digest`.
   * @default - images are compared by their size alone
   */
  readonly verifyPath?: string;

  /**
   * How long the copy before the hold may take, while the side that is left serves; from a second to an hour.
   * @default Duration.minutes(10)
   */
  readonly prepareTimeout?: Duration;

  /**
   * An application with more memory than this is not dumped.
   * @default Size.gibibytes(10)
   */
  readonly maxSize?: Size;

  /**
   * How long each part in the hold may take. Those before the decision must fit into `maxPause` together. Run Command takes some
   * seconds for each of `freeze`, `transfer` and `thaw`.
   * @default - the defaults of its parts
   */
  readonly timeouts?: SwitchHookTimeouts;
}

/**
 * Takes the state of the application along in a switch: most of it is copied while the side that is left serves, and what has changed since
 * while requests wait. Both sides must agree before the decision.
 *
 * @example
 * const plan = CutoverPlan.drainThenShift({
 *   pointOfNoReturn: PointOfNoReturn.SHARED,
 *   state: StateTransfer.http({ path: '/internal/state', prepareTimeout: Duration.minutes(5) }),
 * });
 */
export class StateTransfer {
  /** Proxies carry what the application exports, over HTTP/1.1. */
  public static http(props: HttpStateTransferProps): StateTransfer {
    checkNames('HttpStateTransferProps', props);
    return new StateTransfer(props, props.path);
  }

  /**
   * Calls a function for each part: `prepare`, `freeze`, `transfer`, `verify`, `thaw` and `discard`. The steps of the cutover get the right
   * to invoke this function and no other.
   */
  public static lambda(handler: IFunction, options: StateTransferOptions = {}): StateTransfer {
    checkNames('StateTransferOptions', options);
    return new StateTransfer(options, undefined, handler);
  }

  /**
   * The steps of the cutover copy the keys of one store to the other. They need a way to both: `cutover.connections.allowTo(store, port)`.
   */
  public static valkey(props: ValkeyStateTransferProps): StateTransfer {
    checkNames('ValkeyStateTransferProps', props);
    checkNames('StateStore', props.source);
    checkNames('StateStore', props.target);
    return new StateTransfer(props, undefined, undefined, props);
  }

  /** The memory of the application is dumped on the host of one side and restored on that of the other. Its processes need no code for it. */
  public static checkpoint(props: CheckpointStateTransferProps): StateTransfer {
    checkNames('CheckpointStateTransferProps', props);
    return new StateTransfer(props, undefined, undefined, undefined, props);
  }

  private constructor(
    private readonly props: StateTransferOptions,
    private readonly path?: string,
    private readonly handler?: IFunction,
    private readonly stores?: ValkeyStateTransferProps,
    private readonly memory?: CheckpointStateTransferProps,
  ) {}

  /**
   * The hosts that the steps call.
   *
   * @internal
   */
  public get _hosts(): CheckpointHosts | undefined {
    return this.memory?.hosts;
  }

  /**
   * Of its stores.
   *
   * @internal
   */
  public get _secrets(): ISecret[] {
    return [this.stores?.source, this.stores?.target].flatMap((store) => store?.secret ?? []);
  }

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
    const { prepareTimeout, maxSize, timeouts, probeWrite } = this.props;
    return {
      ...this.renderWay(text),
      ...renderProbeWrite(probeWrite, text),
      prepareSeconds: number(prepareTimeout?.toSeconds()),
      maxBytes: number(maxSize?.toBytes()),
      timeoutMs: renderTimeouts(timeouts, number),
    };
  }

  private renderWay(text: (value: string, legal: string) => string): object {
    const { stores, path, handler, memory } = this;
    if (memory) return { checkpoint: renderMemory(memory, text) };
    const store = ({ url, secret, caPem }: StateStore) => ({
      url: text(url, 'rediss://store'),
      ...(secret && { secretArn: text(secret.secretArn, LEGAL_SECRET_ARN) }),
      ...(caPem !== undefined && { caPem }),
    });
    if (stores) {
      const { source, target, method, keys } = stores;
      const pattern = keys === undefined ? {} : { keys };
      return { valkey: { source: store(source), target: store(target), ...(method && { method }), ...pattern } };
    }
    return path === undefined
      ? { functionArn: text(handler!.functionArn, LEGAL_FUNCTION_ARN) }
      : { http: { path: text(path, '/') } };
  }
}

function renderMemory(
  { hosts, verifyPath }: CheckpointStateTransferProps,
  text: (value: string, legal: string) => string,
): object {
  const { documentName, sourceInstanceId, targetInstanceId } = hosts;
  return {
    documentName: text(documentName, 'document'),
    source: { instanceId: text(sourceInstanceId, 'i-00000000') },
    target: { instanceId: text(targetInstanceId, 'i-00000001') },
    ...(verifyPath !== undefined && { verifyPath: text(verifyPath, '/') }),
  };
}
