export interface ErrorEntry {
  /** Whether the same call may succeed when it is simply tried again. */
  readonly retry: boolean;
  readonly meaning: string;
}

/** Every error that the cutover, the proxy's configuration and the rehearsal can end in. `docs/errors.md` is checked against it. */
export const ERRORS = {
  PlanInvalid: { retry: false, meaning: 'The plan breaks a rule; every broken rule is listed.' },
  ConfigInvalid: {
    retry: false,
    meaning: "The proxy's configuration breaks a rule; every broken rule is listed.",
  },
  ScenarioInvalid: {
    retry: false,
    meaning: 'The scenario of a rehearsal breaks a rule; every broken rule is listed, with its line.',
  },
  LockHeld: {
    retry: false,
    meaning: 'Another cutover of this migration is running, or ended without releasing the lock.',
  },
  LockDamaged: {
    retry: false,
    meaning: 'The lock in the store is not as drainshift wrote it: its holder is unknown.',
  },
  NameUsed: {
    retry: false,
    meaning: 'A cutover of this name has left its evidence in the store before.',
  },
  WeightsUnexpected: {
    retry: false,
    meaning: "The weights in force are not the plan's initial weights.",
  },
  TargetsUnhealthy: {
    retry: false,
    meaning: 'A side has fewer healthy targets than the plan asks for.',
  },
  SmokeFailed: {
    retry: false,
    meaning:
      'A smoke request (through :9201 or :9202, or to a target itself) got another status than the plan expects, or no response.',
  },
  ForwardingLoop: {
    retry: false,
    meaning: 'A smoke request got 508: the upstream of a side leads back to its proxies.',
  },
  AdminUnreachable: {
    retry: true,
    meaning: "A proxy task's admin port did not respond, rejected the signature, or its response was not signed.",
  },
  ProxyDraining: {
    retry: false,
    meaning: 'A proxy task is draining before the cutover starts, and would reject new WebSockets.',
  },
  CaptureIncomplete: {
    retry: false,
    meaning:
      'The capture of the side that is left lacks more than the plan allows: nothing, or nothing more, is moved.',
  },
  ReplayIncomplete: {
    retry: false,
    meaning:
      'A replay that the plan names is too far behind, or has lost something: nothing, or nothing more, is moved.',
  },
  LockLost: {
    retry: false,
    meaning: 'The lock was deleted, or another cutover took it: this one changes nothing any more.',
  },
  NoTasks: { retry: false, meaning: 'A side has no running proxy task.' },
  TooManyTasks: {
    retry: false,
    meaning: 'The two sides have more proxy tasks than the state of a cutover can hold, at its start or since.',
  },
  RuleNotWeighted: {
    retry: false,
    meaning: 'The weighted rule is gone, or forwards to something other than the two target groups.',
  },
  NotAdoptable: {
    retry: false,
    meaning: 'The requests of the weighted rule cannot be shared out between the proxies and the group past them.',
  },
  RulesChanged: {
    retry: false,
    meaning: 'The weights, or a rule that can catch the same requests, changed while the cutover ran, and not by it.',
  },
  ShiftNotConfirmed: {
    retry: false,
    meaning: 'The weights did not read back as intended before the timeout, or what arrives does not fit them.',
  },
  SwitchAborted: {
    retry: false,
    meaning: 'A switch was not committed in the attempts of its plan: the source goes on as if nothing had been asked.',
  },
  HookFailed: {
    retry: false,
    meaning: 'A hook of the plan said no, did not respond as a hook does, or cannot be called at all.',
  },
  TargetWorse: {
    retry: false,
    meaning: 'The target has more errors or later responses than the source, surely by more than the plan tolerates.',
  },
  BreakerTripped: { retry: false, meaning: "The target's error rate is above the plan's limit." },
  AlarmRaised: {
    retry: false,
    meaning: 'An alarm that the cutover checks is in ALARM.',
  },
  AlarmMissing: {
    retry: false,
    meaning: 'An alarm that the cutover checks does not exist any more.',
  },
  TooFewRequests: {
    retry: false,
    meaning: 'The target saw too few requests to say that it is healthy.',
  },
  TargetNotProven: {
    retry: false,
    meaning:
      'At twice the length of a bake the target still had too many errors, or tasks that ended or did not respond.',
  },
  RollbackUnsafe: {
    retry: false,
    meaning:
      'The source does not serve: it did not get its weight back, or died with it. The weights stay, and a person decides.',
  },
  AwsUnavailable: {
    retry: true,
    meaning: 'A service of AWS did not respond in time, or failed; the message names the service and the call.',
  },
  DrainOverdue: {
    retry: false,
    meaning: 'The source still had live connections after every deadline of the drain.',
  },
  NotDrained: {
    retry: true,
    meaning: 'The final check found live connections on the source, or tasks of it that do not respond.',
  },
  ApprovalRejected: {
    retry: false,
    meaning: 'A person was asked whether to go on, and rejected it.',
  },
  ApprovalOverdue: {
    retry: false,
    meaning: 'A person was asked whether to go on, and no valid approval arrived in time.',
  },
  Aborted: { retry: false, meaning: 'An operator asked for the cutover to stop.' },
  RollbackNotConfirmed: {
    retry: true,
    meaning: 'The initial weights do not read back yet, or what arrives says that they are not in force.',
  },
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
    /** With the error that it wraps as its `cause`. */
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = code;
  }
}

/** The codes on which a retry cannot help: the state machine does not repeat a step that ended in one of these. */
export function finalErrorCodes(): ErrorCode[] {
  return (Object.keys(ERRORS) as ErrorCode[]).filter((code) => !ERRORS[code].retry);
}

/** Whether an error of a step ends it for good. What is none of the catalogue may pass. */
export function isFinal(error: unknown): boolean {
  return error instanceof CutoverError && !ERRORS[error.code].retry;
}
