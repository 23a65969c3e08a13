/** Who has to act for an error to go away. */
export type Blame = 'client' | 'upstream' | 'aws' | 'operator' | 'internal';

export interface ErrorEntry {
  readonly blame: Blame;
  /** Whether the same call may succeed when it is simply tried again. */
  readonly retry: boolean;
  readonly meaning: string;
}

/** Every error that the cutover, the proxy's configuration and the rehearsal can end in. `docs/errors.md` is checked against it. */
export const ERRORS = {
  PlanInvalid: { blame: 'operator', retry: false, meaning: 'The plan breaks a rule; every broken rule is listed.' },
  ConfigInvalid: {
    blame: 'operator',
    retry: false,
    meaning: "The proxy's configuration breaks a rule; every broken rule is listed.",
  },
  LockHeld: {
    blame: 'operator',
    retry: false,
    meaning: 'Another cutover of this migration is running, or ended without releasing the lock.',
  },
  LockDamaged: {
    blame: 'operator',
    retry: false,
    meaning: 'The lock in the store is not as drainshift wrote it: its holder is unknown.',
  },
  NameUsed: {
    blame: 'operator',
    retry: false,
    meaning: 'A cutover of this name has left its evidence in the store before.',
  },
  WeightsUnexpected: {
    blame: 'operator',
    retry: false,
    meaning: "The weights in force are not the plan's initial weights.",
  },
  TargetsUnhealthy: {
    blame: 'upstream',
    retry: false,
    meaning: 'A side has fewer healthy targets than the plan asks for.',
  },
  SmokeFailed: {
    blame: 'upstream',
    retry: false,
    meaning:
      'A smoke request (through :9201 or :9202, or to a target itself) got another status than the plan expects, or no response.',
  },
  ForwardingLoop: {
    blame: 'operator',
    retry: false,
    meaning: 'A smoke request got 508: the upstream of a side leads back to its proxies.',
  },
  AdminUnreachable: {
    blame: 'aws',
    retry: true,
    meaning: "A proxy task's admin port did not respond, rejected the signature, or its response was not signed.",
  },
  ProxyDraining: {
    blame: 'operator',
    retry: false,
    meaning: 'A proxy task is draining before the cutover starts, and would reject new WebSockets.',
  },
  LockLost: {
    blame: 'operator',
    retry: false,
    meaning: 'The lock was deleted, or another cutover took it: this one changes nothing any more.',
  },
  NoTasks: { blame: 'operator', retry: false, meaning: 'A side has no running proxy task.' },
  TooManyTasks: {
    blame: 'operator',
    retry: false,
    meaning: 'The two sides have more proxy tasks than the state of a cutover can hold, at its start or since.',
  },
  RuleNotWeighted: {
    blame: 'operator',
    retry: false,
    meaning: 'The weighted rule is gone, or forwards to something other than the two target groups.',
  },
  NotAdoptable: {
    blame: 'operator',
    retry: false,
    meaning: 'The requests of the weighted rule cannot be shared out between the proxies and the group past them.',
  },
  RulesChanged: {
    blame: 'operator',
    retry: false,
    meaning: 'The weights, or a rule that can catch the same requests, changed while the cutover ran, and not by it.',
  },
  ShiftNotConfirmed: {
    blame: 'aws',
    retry: false,
    meaning: 'The weights did not read back as intended before the timeout.',
  },
  SwitchAborted: {
    blame: 'operator',
    retry: false,
    meaning: 'A switch was not committed in the attempts of its plan: the source goes on as if nothing had been asked.',
  },
  BreakerTripped: { blame: 'upstream', retry: false, meaning: "The target's error rate is above the plan's limit." },
  AlarmRaised: {
    blame: 'upstream',
    retry: false,
    meaning: 'An alarm that the cutover checks is in ALARM.',
  },
  AlarmMissing: {
    blame: 'operator',
    retry: false,
    meaning: 'An alarm that the cutover checks does not exist any more.',
  },
  TooFewRequests: {
    blame: 'operator',
    retry: false,
    meaning: 'The target saw too few requests to say that it is healthy.',
  },
  TargetNotProven: {
    blame: 'operator',
    retry: false,
    meaning:
      'At twice the length of a bake the target still had too many errors, or tasks that ended or did not respond.',
  },
  RollbackUnsafe: {
    blame: 'operator',
    retry: false,
    meaning:
      'The source does not serve: it did not get its weight back, or died with it. The weights stay, and a person decides.',
  },
  AwsUnavailable: {
    blame: 'aws',
    retry: true,
    meaning: 'A service of AWS did not respond in time, or failed; the message names the service and the call.',
  },
  DrainOverdue: {
    blame: 'internal',
    retry: false,
    meaning: 'The source still had live connections after every deadline of the drain.',
  },
  NotDrained: {
    blame: 'internal',
    retry: true,
    meaning: 'The final check found live connections on the source, or tasks of it that do not respond.',
  },
  ApprovalRejected: {
    blame: 'operator',
    retry: false,
    meaning: 'A person was asked whether to go on, and rejected it.',
  },
  ApprovalOverdue: {
    blame: 'operator',
    retry: false,
    meaning: 'A person was asked whether to go on, and no valid approval arrived in time.',
  },
  Aborted: { blame: 'operator', retry: false, meaning: 'An operator asked for the cutover to stop.' },
  RollbackNotConfirmed: { blame: 'aws', retry: true, meaning: 'The initial weights do not read back yet.' },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * An error with an entry in the catalogue. Its `name` is the code, because that is what Lambda reports as `errorType`
 * and what `Retry` and `Catch` of a state machine compare.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html
 */
export class CutoverError extends Error {
  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
    this.name = code;
  }
}

/** The codes on which a retry cannot help: the state machine does not repeat a step that ended in one of these. */
export function finalErrorCodes(): ErrorCode[] {
  return (Object.keys(ERRORS) as ErrorCode[]).filter((code) => !ERRORS[code].retry);
}
