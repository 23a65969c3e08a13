import {
  Decision,
  GateName,
  approvalKey,
  deadlineMs,
  findGate,
  findStageBehind,
  rejectionKey,
} from '../approval/approval';
import { CutoverRun, Failure, findFailure } from './run';
import { describePace, findStepWeights, mayPace } from './pacing';
import { oneLine, printable } from '../text/one-line';
import { findDirection } from '../plan/direction';
import { estimateSeconds } from '../plan/plan';
import { describeSide } from '../judge/side-state';
import { adviseToFree } from '../traffic/lock';
import { SIDES, Weights, formatWeights } from '../traffic/weights';

export type AnnouncementKind =
  | 'started'
  | 'notStarted'
  | 'waitingForApproval'
  | 'switched'
  | 'switchAborted'
  | 'switchedBack'
  | 'frozen'
  | 'shifted'
  | 'rollingBack'
  | 'stuck'
  | 'rolledBack'
  | 'refused'
  | 'failed'
  | 'completed';

/** The step of a cutover that operators and other systems are notified of. */
export interface Announcement {
  /** At most 100 printable ASCII characters: what SNS takes for a subject. */
  readonly subject: string;
  /** What happened, why, and what to do about it; for a person at night. */
  readonly text: string;
  readonly detail: AnnouncementDetail;
}

/** The `detail` of the event `Drainshift Cutover`. */
export interface AnnouncementDetail {
  readonly kind: AnnouncementKind;
  readonly execution: string;
  readonly storeBucket: string;
  /** From 1. */
  readonly stage?: number;
  readonly stages?: number;
  readonly weights?: { readonly source: number; readonly target: number };
  /** What a person is asked: `judge-2` is the second question of the judge. */
  readonly gate?: GateName;
  readonly failure?: Failure;
  readonly text: string;
}

/** What of a deployed cutover the texts name. */
export interface AnnouncementPlaces {
  readonly storeBucket: string;
  readonly weightedRuleArn: string;
  /** The stack for commands. @default 'STACK' */
  readonly stackName?: string;
}

/** A run, or as much of it as there is: one that did not start has no plan. */
export type Announced = Pick<CutoverRun, 'execution'> & Partial<CutoverRun>;

type Lines = (run: Announced, places: AnnouncementPlaces) => readonly string[];

/** `{from}` and `{to}` stand for the side that the cutover leaves, and the one that gets the traffic. */
const HEADLINES: Readonly<Record<AnnouncementKind, string>> = {
  started: 'started',
  notStarted: 'did not start',
  waitingForApproval: 'waits for your approval',
  switched: 'switched to the {to}',
  switchAborted: 'did not switch: the side that serves goes on',
  switchedBack: 'switched back to the {from}',
  frozen: 'NEEDS YOU: the side that serves may reject writes',
  shifted: 'shifted',
  rollingBack: 'is rolling back',
  stuck: 'NEEDS YOU: it cannot roll back',
  rolledBack: 'was rolled back',
  refused: 'was rejected, nothing moved',
  failed: 'FAILED: look at the weights now',
  completed: 'completed',
};

const SET_WEIGHTS = 'drainshift weights set --stack STACK --source S --target T';

const STRANDED = 'NEEDS YOU: it rolled back, and the {from} does not serve';

const TEXTS: Readonly<Record<AnnouncementKind, Lines>> = {
  started: (run, places) => [
    `It has ${stageCount(run)} stages${listStages(run)}${computeEstimate(run)}. Nothing has moved yet, and there is nothing to do.`,
    stopLine(run, places),
  ],
  notStarted: (run, { storeBucket }) => [
    ...why(run),
    'Nothing was moved. Fix what it says, then start another execution under another name.',
    `If the lock is held by an execution that has ended: look at the weights, then ${adviseToFree(storeBucket)}`,
  ],
  waitingForApproval: approvalLines,
  switched: (run, places) => [
    ...switchLines(run),
    `The proxies of both sides forward to the ${findDirection(run.plan).to}, whatever the weights are. It is watched now, and there is nothing to do.`,
    stopLine(run, places),
  ],
  switchAborted: (run) => [
    ...switchLines(run),
    'The requests that waited were served by the side that serves. Nothing has moved.',
    ...attemptLines(run),
  ],
  switchedBack: (run) => [
    ...why(run),
    ...switchLines(run),
    `The proxies of both sides forward to the ${findDirection(run.plan).from}, whatever the weights are. The weights follow, and a message with them.`,
    `What the ${findDirection(run.plan).to} has written meanwhile is where the plan says: see 'switch.pointOfNoReturn'.`,
  ],
  frozen: (run) => [
    ...switchLines(run),
    ...frozenLines(run),
    'The cutover tries it again, and rolls back if it cannot. Until then writes may fail.',
    'Thaw it by hand: see "A side stays frozen" in docs/operating.md.',
  ],
  shifted: (run, places) => {
    const stage = run.plan?.stages[run.stage?.index ?? 0];
    return [
      `Stage ${stageNumber(run)} of ${stageCount(run)}: the weights ${weightsNow(run)} are in force. It now watches for ${time(stage?.bakeSeconds ?? 0)}; there is nothing to do.`,
      stopLine(run, places),
    ];
  },
  rollingBack: (run, places) => [
    ...why(run),
    `The cutover rolls back to ${initial(run)}. A message follows when they read back.`,
    ...paceLines(run),
    `If none comes within ten minutes, look yourself: ${describeRule(places)}`,
  ],
  stuck: (run, places) => [
    ...why(run),
    ...(run.rollback?.notMoved === undefined
      ? stayingLines(run, places)
      : notMovedLines(run, run.rollback.notMoved, places)),
  ],
  rolledBack: (run, places) => [
    ...why(run),
    `${initialWeights(run)} are in force again, and the ${findDirection(run.plan).from} responds. Nothing is urgent.`,
    ...(run.rollback?.arrived === undefined ? [] : [`What has arrived since: ${run.rollback.arrived}.`]),
    ...paceLines(run),
    `When you are awake: read the evidence, fix the reason, start under another name. ${readEvidence(run, places)}`,
  ],
  refused: (run, places) => [
    ...why(run),
    'Nothing was moved: the traffic is where it was. Fix every line above, then start under another name.',
    readEvidence(run, places),
  ],
  failed: (run, places) => {
    const code = findFailure(run)?.code;
    if (code === 'LockDamaged') return damagedLines(run, places);
    return code === 'LockLost' ? lostLines(run, places) : failedLines(run, places);
  },
  completed: (run, places) => {
    const { from, to } = findDirection(run.plan);
    return [
      `All traffic is on the ${to}, and the connections of the ${from} are at zero. The ${from} runs on, ready, at weight 0: keep it for as long as you want to be able to roll back.`,
      'To roll back: drainshift rollback --stack STACK',
      readEvidence(run, places),
    ];
  },
};

/** Pure: how it is sent is the adapter's matter. */
export function buildAnnouncement(
  kind: AnnouncementKind,
  notified: Announced,
  places: AnnouncementPlaces,
): Announcement {
  const run = { ...notified, execution: oneLine(notified.execution) };
  const { from, to } = findDirection(run.plan);
  const said = isStranded(run) && kind === 'stuck' ? STRANDED : HEADLINES[kind];
  const headline = `Cutover '${run.execution}' ${said.replace('{from}', from).replace('{to}', to)}`;
  const written = printable([`${headline}.`, ...TEXTS[kind](run, places)].join('\n\n'));
  const { stackName } = places;
  const text = stackName === undefined ? written : written.replaceAll('--stack STACK', () => `--stack ${stackName}`);
  const failure = findFailure(run);
  const stage = run.stage && run.plan?.stages[run.stage.index];
  return {
    subject: headline.replace(/[^\x20-\x7e]/g, '?').slice(0, 99),
    text,
    detail: {
      kind,
      execution: run.execution,
      storeBucket: places.storeBucket,
      ...(run.stage && { stage: run.stage.index + 1 }),
      ...(run.plan && { stages: run.plan.stages.length }),
      ...(stage && { weights: findStep(run) ?? stage.weights }),
      ...(kind === 'waitingForApproval' && run.approval && { gate: run.approval.gate }),
      ...(failure && { failure: { ...failure, message: short(failure.message) } }),
      text,
    },
  };
}

function stayingLines(run: Announced, places: AnnouncementPlaces): string[] {
  return [
    ...sideLines(run),
    ...paceLines(run),
    stuckLine(run),
    `1. Get one of the two sides to serve. The weights in force: ${describeRule(places)}`,
    `2. Then, if it has ended, ${adviseToFree(places.storeBucket)}`,
    `3. ${adviseWeights(run)}`,
  ];
}

function notMovedLines(run: Announced, notMoved: string, places: AnnouncementPlaces): string[] {
  return [
    `The weights could not be put back to ${initial(run)}: ${notMoved}`,
    'It tries again and again for over an hour, and says so when they are back. Until then requests go where they went.',
    `1. The weights in force: ${describeRule(places)}`,
    '2. If a right is missing, give it; if AWS rejects calls, look for what uses up their rate.',
    `3. If you cannot wait: set the weights of that rule to ${initial(run)} in the console of AWS, and it goes on from there.`,
  ];
}

function stuckLine(run: Announced): string {
  const { from } = findDirection(run.plan);
  if (isStranded(run)) {
    return `${initialWeights(run)} are in force again, and the ${from} does not serve with them: requests fail now. It waits a few minutes for the ${from}, sets no weights meanwhile, then ends as failed and keeps the lock.`;
  }
  const step = findStep(run);
  if (step) {
    return `The ${from} failed with its share: the weights stay at ${formatWeights(step)} (source/target), and requests of that share fail now. It goes on with the pace once the ${from} has served again for long enough. It waits five minutes for that, then ends as failed and keeps the lock.`;
  }
  return `It leaves the weights as they are, because the ${from} would serve no better. The cutover rolls back to ${initial(run)} as soon as the ${from} serves. It waits a few minutes for that, then ends as failed and keeps the lock.`;
}

function isStranded({ rollback }: Announced): boolean {
  return rollback?.strandedAt !== undefined;
}

/** What each side is, where a rollback was rejected over it. */
function sideLines({ rollback }: Announced): string[] {
  return rollback?.sides ? SIDES.map((side) => describeSide(side, rollback.sides![side])) : [];
}

/** What the pace of the plan did, and whether it goes on. */
function paceLines({ plan, stage, rollback }: Announced): string[] {
  if (!plan || !rollback?.pace) return [];
  const { from } = findDirection(plan);
  const done = `The pace of the rollback, in shares of the ${from}: ${describePace(rollback.pace).join('; ')}.`;
  const goesOn = mayPace({ plan, ...(stage && { stage }), rollback });
  return [
    goesOn
      ? `${done} It goes on step by step, while the ${from} serves. A side that serves nothing is left at once.`
      : done,
  ];
}

function failedLines(run: Announced, places: AnnouncementPlaces): readonly string[] {
  return [
    ...why(run),
    ...whyNotBack(run),
    ...sideLines(run),
    ...paceLines(run),
    `1. Look at the weights in force: ${describeRule(places)}`,
    `2. The lock is kept on purpose, so that no other cutover starts before you have checked. Then ${adviseToFree(places.storeBucket)}`,
    `3. If the weights are not what you want (the cutover began with ${initial(run)}): ${adviseWeights(run)}`,
    readEvidence(run, places),
  ];
}

/** Behind a step of the pace there are two ways, and a person need not compute either. */
function adviseWeights(run: Announced): string {
  const before = run.stage && run.plan?.stages[run.stage.index]?.weights;
  if (!findStep(run) || !run.plan || !before) return SET_WEIGHTS;
  const { from, to } = findDirection(run.plan);
  const set = ({ source, target }: Weights) =>
    SET_WEIGHTS.replace('source S', `source ${source}`).replace('target T', `target ${target}`);
  return `What the ${to} had before the rollback: ${set(before)}. All back to the ${from}: ${set(run.plan.initialWeights)}`;
}

/** The weights that a step of the pace has set, while they are in force. */
function findStep({ plan, stage, rollback }: Announced): Weights | undefined {
  return plan && rollback ? findStepWeights({ plan, ...(stage && { stage }), rollback }) : undefined;
}

/**
 * The lock may be another cutover's, a deployment's or a person's by now: deleting it would let two of them change the
 * weights.
 */
function lostLines(run: Announced, places: AnnouncementPlaces): readonly string[] {
  return [
    ...why(run),
    'It touches nothing any more, and puts nothing back.',
    `1. See who holds the lock now: drainshift weights get --stack STACK, or: aws s3 cp s3://${places.storeBucket}/lock.json -`,
    '2. While it is held, change nothing, neither the weights nor the lock: the traffic belongs to its holder.',
    `3. If it is not held, look at the weights in force: ${describeRule(places)}`,
    `   This cutover began with ${initial(run)}. If they are not what you want: ${SET_WEIGHTS}`,
    readEvidence(run, places),
  ];
}

/** The holder of the lock is unknown, so nothing was put back. */
function damagedLines(run: Announced, places: AnnouncementPlaces): readonly string[] {
  const { storeBucket } = places;
  return [
    ...why(run),
    'Whether this execution ever held the lock, and what it has moved, cannot be read. Nothing was put back. The recovery tries again every few minutes, for hours.',
    `1. Look at the weights in force: ${describeRule(places)}`,
    `2. If the bucket keeps versions, put the last good one of lock.json back, and the recovery goes on by itself: aws s3api list-object-versions --bucket ${storeBucket} --prefix lock.json`,
    `3. Else, if no other cutover runs: aws s3 rm s3://${storeBucket}/lock.json, then, if the weights are not what you want: ${SET_WEIGHTS}`,
  ];
}

function approvalLines(run: Announced, places: AnnouncementPlaces): readonly string[] {
  const { plan, approval } = run;
  if (!plan || !approval) return [];
  const until = new Date(deadlineMs(approval.askedAtMs, plan.approval)).toISOString();
  const { escalation } = run;
  const gate = findGate(approval.gate);
  const isFirst = gate === 'firstShift' || (gate === 'judge' && !run.stage && !run.initial);
  const next = plan.stages[findStageBehind(gate, plan.stages.length)];
  const otherwise = isFirst ? 'nothing is moved' : `it rolls back to ${initial(run)}`;
  const keys = {
    approve: approvalKey(run.execution, approval.gate),
    reject: rejectionKey(run.execution, approval.gate),
  };
  const sign = (decision: Decision) =>
    `drainshift ${decision} --stack STACK --execution ${run.execution} --gate ${approval.gate}`;
  const write = (decision: Decision) =>
    `  echo '{"decision":"${decision}","by":"YOUR NAME"}' | aws s3 cp - s3://${places.storeBucket}/${keys[decision]}`;
  const approve = `To approve, signed as who you are at AWS:\n  ${sign('approve')}`;
  return [
    ...(approval.problem === undefined ? [] : [`What was written does not count: ${approval.problem}`]),
    escalation
      ? `${escalation.failure.code === 'HookFailed' ? 'A hook failed' : 'The judge asks'}: ${escalation.failure.code}: ${short(escalation.failure.message)}. With an approval the cutover goes on. Without one until ${until} ${otherwise}.`
      : `Next come the weights ${next ? formatWeights(next.weights) : 'of the plan'}. Without an approval until ${until} ${otherwise}.`,
    plan.approval.requireIdentity ? approve : `${approve}\nor, without a name in the record:\n${write('approve')}`,
    `To reject, after which ${otherwise}:\n  ${sign('reject')}\nor, where that command is not at hand:\n${write('reject')}`,
  ];
}

/** What the last attempt was, as clients felt it. */
function switchLines({ switches }: Announced): string[] {
  const last = switches?.at(-1);
  if (!last) return [];
  const { epoch, to, outcome, by, why: reason, maxWaiting, releasedMs, isResumed } = last;
  const pause = isResumed ? UNKNOWN_PAUSE : describePause(releasedMs);
  const waiting = maxWaiting > 0 ? `, ${maxWaiting} of them at the same time` : '';
  const because = reason === undefined ? '' : ` Why: ${short(reason)}`;
  return [`Epoch ${epoch} to the ${to}: ${outcome}, decided by '${by}'. ${pause}${waiting}.${because}`];
}

const UNKNOWN_PAUSE = 'Another call of the step had begun it: how long requests waited is unknown';

function describePause(releasedMs: number | undefined): string {
  return releasedMs === undefined ? 'Nothing was held' : `Requests waited for at most ${releasedMs} ms`;
}

function frozenLines({ switches }: Announced): string[] {
  const last = switches?.at(-1);
  const problem = last?.hook?.findLast(({ part }) => part === 'thaw')?.problem ?? 'no response';
  return last?.frozen ? [`The hook must thaw the ${last.frozen}, got: ${short(problem)}`] : [];
}

function attemptLines({ plan, switches = [] }: Announced): string[] {
  const rules = plan?.switch;
  if (!rules || rules.dryRun || switches.length >= rules.attempts) return ['It is not tried again.'];
  return [`It is tried again in ${time(rules.attemptSeconds)}: attempt ${switches.length + 1} of ${rules.attempts}.`];
}

function why(run: Announced): string[] {
  const failure = findFailure(run);
  return failure ? [`Why: ${failure.code}: ${short(failure.message)}`] : [];
}

/** Beside the reason for a rollback that of its failure. */
function whyNotBack({ failure, error }: Announced): string[] {
  const thrown = failure && findFailure({ error });
  return thrown ? [`The rollback did not succeed: ${thrown.code}: ${short(thrown.message)}`] : [];
}

/** A message may hold a line for each of many findings, or a whole response of a service. */
function short(message: string): string {
  return message.length > 2000 ? `${message.slice(0, 2000)}…` : message;
}

function stageCount(run: Announced): number {
  return run.plan?.stages.length ?? 0;
}

function stageNumber(run: Announced): number {
  return (run.stage?.index ?? -1) + 1;
}

function listStages({ plan }: Announced): string {
  return plan ? ` (${plan.stages.map(({ weights }) => formatWeights(weights)).join(', ')})` : '';
}

function weightsNow(run: Announced): string {
  const stage = run.stage && run.plan?.stages[run.stage.index];
  return stage ? formatWeights(stage.weights) : 'of the plan';
}

function initial({ plan }: Announced): string {
  return plan ? formatWeights(plan.initialWeights) : 'the old weights';
}

/** At the begin of a sentence. */
function initialWeights({ plan }: Announced): string {
  return plan ? `The weights ${formatWeights(plan.initialWeights)}` : 'The old weights';
}

function computeEstimate({ plan }: Announced): string {
  return plan ? ` and takes about ${time(estimateSeconds(plan).typical)} when nothing goes wrong` : '';
}

function time(seconds: number): string {
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function stopLine({ execution }: Announced, { storeBucket }: AnnouncementPlaces): string {
  return `To stop it and roll back: drainshift abort --stack STACK --execution ${execution}, or: aws s3api put-object --bucket ${storeBucket} --key abort/${execution}.json`;
}

function readEvidence({ execution }: Announced, { storeBucket }: AnnouncementPlaces): string {
  return `The evidence: aws s3 cp s3://${storeBucket}/evidence/${execution}.json -`;
}

function describeRule({ weightedRuleArn }: AnnouncementPlaces): string {
  return `aws elbv2 describe-rules --rule-arns ${weightedRuleArn} --query 'Rules[].Actions[].ForwardConfig.TargetGroups'`;
}
