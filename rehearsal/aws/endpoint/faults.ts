import { AwsError } from '../../errors/aws-error';

/** What happens to a call instead of a good response. */
export type EndpointFault =
  /** Responds with this status; without a code, with the one that the status usually has. */
  | { readonly kind: 'status'; readonly status: number; readonly code?: string; readonly message?: string }
  /** The throttling error of its service. */
  | { readonly kind: 'throttle' }
  /** No response, until the client goes away or the endpoint stops. */
  | { readonly kind: 'hang' }
  /** The right response, so many milliseconds late; the call acts after them. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The right response, once this has resolved; the call acts after it. To do something while the caller waits. */
  | { readonly kind: 'wait'; readonly until: () => Promise<void> }
  /** The connection is reset. */
  | { readonly kind: 'reset' }
  /** Responds as if it were done, and does not do it. Only for actions that can pretend, such as ModifyRule. */
  | { readonly kind: 'pretend' };

/** Which calls a fault meets. */
export interface FaultScope {
  /** As policies name it: `elasticloadbalancing`, `ecs`, `states`, `s3`, `secretsmanager`, `cloudwatch`, … @default - every service */
  readonly service?: string;
  /** `ModifyRule`, `PutObject`. @default - every action */
  readonly action?: string;
  /** Access key ids whose calls it spares: `OPERATOR`, so that an observer still sees. @default - none */
  readonly spares?: readonly string[];
  /** Further words that the call must have: `/lock.json` at the end of an S3 path. @default - any path */
  readonly pathEndsWith?: string;
  /** The same anywhere in it: `/switch/decision/`. @default - any path */
  readonly pathIncludes?: string;
}

export interface FaultOptions {
  /** How many calls it meets. @default - all, until it is cleared */
  readonly times?: number;
  /** The call acts first and its response is what is lost. Not for `pretend`. @default false */
  readonly afterActing?: boolean;
}

export interface FaultyCall {
  readonly service: string;
  readonly action: string;
  readonly principal: string;
  /** Without the query. */
  readonly path: string;
}

export interface SetFault {
  readonly scope: FaultScope;
  readonly fault: EndpointFault;
  readonly afterActing: boolean;
  left: number;
}

/**
 * The faults of an endpoint, to set and clear while it runs. Of several that meet a call, the one that was set last
 * counts.
 */
export class EndpointFaults {
  private readonly faults: SetFault[] = [];

  /**
   * Sets a fault beside those that are set.
   *
   * @returns clears it again; hung calls stay hung.
   * @throws Error for a number out of its bounds
   */
  set(
    scope: FaultScope,
    fault: EndpointFault,
    { times = Infinity, afterActing = false }: FaultOptions = {},
  ): () => void {
    check(fault, times, afterActing);
    const entry = { scope, fault, afterActing, left: times };
    this.faults.unshift(entry);
    return () => this.remove(entry);
  }

  /** Every fault has ended. */
  clear(): void {
    this.faults.length = 0;
  }

  /** The fault that meets this call; it counts. */
  take(call: FaultyCall): SetFault | undefined {
    const entry = this.faults.find(({ scope }) => meets(scope, call));
    if (entry) entry.left -= 1;
    if (entry?.left === 0) this.remove(entry);
    return entry;
  }

  private remove(entry: SetFault): void {
    const index = this.faults.indexOf(entry);
    if (index >= 0) this.faults.splice(index, 1);
  }
}

function meets(
  { service, action, spares = [], pathEndsWith = '', pathIncludes = '' }: FaultScope,
  call: FaultyCall,
): boolean {
  return (
    (service === undefined || service === call.service) &&
    (action === undefined || action === call.action) &&
    !spares.includes(call.principal) &&
    call.path.endsWith(pathEndsWith) &&
    call.path.includes(pathIncludes)
  );
}

function check(fault: EndpointFault, times: number, afterActing: boolean): void {
  const isCount = times === Infinity || (Number.isInteger(times) && times >= 1);
  if (!isCount) throw new Error(`'times' must be an integer from 1 up, got ${times}`);
  if (fault.kind === 'status' && !(Number.isInteger(fault.status) && fault.status >= 400 && fault.status <= 599)) {
    throw new Error(`'status' must be an integer from 400 to 599, got ${fault.status}`);
  }
  if (fault.kind === 'delay' && !(fault.ms >= 0)) throw new Error(`'ms' must be a number from 0 up, got ${fault.ms}`);
  if (fault.kind === 'pretend' && afterActing) throw new Error(`'afterActing' must be false for pretend, got true`);
}

/** The code that goes with a status, as S3 and the JSON services use them. */
const CODES: ReadonlyMap<number, string> = new Map([
  [403, 'AccessDenied'],
  // @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
  [409, 'ConditionalRequestConflict'],
  [500, 'InternalFailure'],
  [503, 'ServiceUnavailable'],
]);

const MESSAGE = 'A fault of the rehearsal';
const MESSAGES: ReadonlyMap<string, string> = new Map([
  [
    'ConditionalRequestConflict',
    'The conditional request cannot succeed due to a conflicting operation against this resource.',
  ],
]);

/** What a `status` or `throttle` fault responds with; undefined for one that responds in another way. */
export function buildError(fault: EndpointFault): AwsError | undefined {
  if (fault.kind === 'throttle') return new AwsError('Throttling', 'Rate exceeded');
  if (fault.kind !== 'status') return undefined;
  const { status, code = CODES.get(status) ?? 'InternalFailure', message = MESSAGES.get(code) ?? MESSAGE } = fault;
  return new AwsError(code, message, status);
}
