import { ApprovalGate, listGates } from '../approval/approval';
import type { CloseOrder } from '../proxy/close-order';
import { CONNECTION_KINDS, KIND_FACTS } from '../proxy/connections';
import { DECIDING_PARTS, hasPart } from './hook-plan';
import { PhaseHook, describeCallee, findOnFailure, findWaitSeconds } from './phase-hooks';
import { formatWeights } from '../traffic/weights';
import { Direction, findDirection } from './direction';
import { ApiCalls, estimateApiCalls } from './api-calls';
import {
  EVENTS_PER_POLL,
  EVENT_BUDGET,
  MAX_EVENTS,
  Plan,
  countLooks,
  estimateSeconds,
  findWaits,
  windowPollSeconds,
  gatePollSeconds,
} from './plan';
import { MAX_ODDS, requestsToProve } from './judge-plan';
import { DEFAULT_MOVES, Moves } from '../moves/moves';
import { RollbackPace, isPaced, measurePace } from './rollback-pace';
import { LOOK_SECONDS } from './looking';
import { formatWindow } from './windows-plan';
import { Stage, findMaximumBake } from './stages';
import type { StatePlan, ValkeyPlan } from './state-plan';
import type { SwitchPlan } from './switch-plan';

/** What a plan means, as numbers. */
export interface Explanation {
  readonly stages: readonly (Stage & {
    /** 0–1, of clients that have no side yet. */
    readonly targetShare: number;
  })[];
  readonly approvals: readonly {
    readonly gate: ApprovalGate;
    readonly timeoutSeconds: number;
    readonly pollSeconds: number;
  }[];
  /** `shortest`: no approval waits and nothing drains. `longest`: without the paced closes, whose number is not known before. */
  readonly seconds: { readonly shortest: number; readonly longest: number };
  readonly apiCalls: readonly ApiCalls[];
  /** Events of Step Functions. `most`: every wait lasts as long as it may. */
  readonly history: { readonly most: number; readonly budget: number; readonly limit: number };
}

export function explainPlan(plan: Plan): Explanation {
  const { approval, stages } = plan;
  const looks = Object.values(countLooks(plan)).reduce((sum, each) => sum + each, 0);
  return {
    stages: stages.map((stage) => ({
      ...stage,
      targetShare: stage.weights.target / (stage.weights.source + stage.weights.target),
    })),
    approvals: listGates(approval, stages.length).map((gate) => ({
      gate,
      timeoutSeconds: approval.timeoutSeconds,
      pollSeconds: gatePollSeconds(plan, gate),
    })),
    seconds: {
      shortest: stages.reduce((sum, { bakeSeconds }) => sum + bakeSeconds, 0),
      longest: estimateSeconds(plan).longest,
    },
    apiCalls: estimateApiCalls(plan),
    history: { most: looks * EVENTS_PER_POLL, budget: EVENT_BUDGET, limit: MAX_EVENTS },
  };
}

/** The same in words, one fact a line. */
export function describePlan(plan: Plan): string {
  const explained = explainPlan(plan);
  const sections: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ['Stages', describeStages(plan, explained)],
    ...(plan.switch ? ([['Switch', describeSwitch(plan.switch, findDirection(plan))]] as const) : []),
    ...(plan.windows.length > 0 ? ([['Windows', describeWindows(plan)]] as const) : []),
    ...(plan.hooks.length > 0 ? ([['Hooks', plan.hooks.map(describePhaseHook)]] as const) : []),
    ['Checks', [...describeChecks(plan), ...describeCapture(plan)]],
    ...(isPaced(plan.rollbackPace) ? ([['Rollback', describeRollbackPace(plan, plan.rollbackPace)]] as const) : []),
    ['Approvals', describeApprovals(plan, explained)],
    [`Drain of the ${findDirection(plan).from}`, describeDrain(plan)],
    ['Duration', describeDuration(plan, explained)],
    ['API calls a minute, at the most', describeCalls(explained)],
    ['History of the state machine', describeHistory(explained)],
  ];
  return sections.map(([title, lines]) => `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`).join('\n');
}

function describeStages(plan: Plan, { stages }: Explanation): string[] {
  const { to } = findDirection(plan);
  const start = `Start: ${formatWeights(plan.initialWeights)} (source/target). A rollback restores it.`;
  if (plan.switch) {
    const [stage] = stages;
    return [
      start,
      `1. ${formatWeights(stage!.weights)}: all requests to the ${to} at once, watched for ${formatBake(stage!)}.`,
    ];
  }
  return [
    start,
    ...stages.map((stage, index) => {
      const share = formatPercent(to === 'target' ? stage.targetShare : 1 - stage.targetShare);
      return `${index + 1}. ${formatWeights(stage.weights)}: ${share} of new clients to the ${to}, watched for ${formatBake(stage)}.`;
    }),
    describeStickiness(plan),
  ];
}

function describeWindows(plan: Plan): string[] {
  const { first, between } = findWaits(plan);
  const pace = `both sides are judged: ${describePace(windowPollSeconds(plan)).toLowerCase()}`;
  return [
    ...plan.windows.map((window) => `A shift may begin ${formatWindow(window)}.`),
    `Before the first shift it waits for up to ${formatSeconds(first)}.`,
    between === 0
      ? 'Once it has begun it waits for no other window.'
      : `Between shifts it waits for up to ${formatSeconds(between)} in all, and ${pace}.`,
    'The longest duration below has the waits in it. A rollback waits for none.',
  ];
}

function describeRollbackPace(plan: Plan, pace: RollbackPace): string[] {
  const { from, to } = findDirection(plan);
  const { steps, lookSeconds, capacity, minimumHealthyTargets, waitSeconds } = pace;
  const needed =
    minimumHealthyTargets === 0
      ? 'as many healthy targets as at preflight'
      : `${minimumHealthyTargets} healthy targets`;
  const raised = capacity === 'scaleOut' ? ' The desired count of its ECS service is raised to that.' : '';
  const percentages = [...steps.map((step) => `${step} %`), formatWeights(plan.initialWeights)].join(', ');
  return [
    ...(capacity === 'ignore'
      ? []
      : [`It waits up to ${formatSeconds(waitSeconds)} until the ${from} has ${needed}.${raised}`]),
    ...(steps.length === 0
      ? []
      : [`The ${from} gets ${percentages}, ${formatSeconds(lookSeconds)} apart, while it serves.`]),
    `In all up to ${formatSeconds(measurePace(pace))}. A ${to} that does not serve is left at once.`,
  ];
}

function describeStickiness({ stickiness, from }: Plan): string {
  const { policy, keepSeconds, shortenSeconds, endAtStage } = stickiness;
  const stays = 'A client with a stickiness cookie stays on its side';
  if (policy === 'keep') {
    return `${stays}, also when the ${from} has no weight, for up to ${formatSeconds(keepSeconds)}. Then it moves.`;
  }
  if (policy === 'shorten') {
    return `${stays} until it has paused for ${formatSeconds(shortenSeconds)}, or until the side has no weight.`;
  }
  if (endAtStage > 0) return `${stays} until stage ${endAtStage}. From then on cookies last 1 s.`;
  return `${stays} until the side has no weight.`;
}

function formatBake(stage: Stage): string {
  const maximum = findMaximumBake(stage);
  const least = formatSeconds(stage.bakeSeconds);
  return maximum === stage.bakeSeconds ? least : `${least} to ${formatSeconds(maximum)}`;
}

/** `{from}` and `{to}` stand for the side that the cutover leaves, and the one that gets the traffic. */
const FENCES: Readonly<Record<SwitchPlan['fence'], string>> = {
  drained: 'All requests of the {from} must have ended. Those that a client gave up are counted, and not waited for.',
  drainedAndAbandoned: 'All requests of the {from} must have ended, also those that a client gave up.',
  epoch: 'All requests of the {from} must have ended. The application rejects later ones by X-Drainshift-Epoch.',
};
const AFTER_COMMIT: Readonly<Record<SwitchPlan['rollback'], string>> = {
  automatic: 'After the commit a rollback switches back by itself, if the {from} responds.',
  ask: 'After the commit a rollback leaves the {to} serving, and notifies operators.',
};
const WRITES: Readonly<Record<SwitchPlan['pointOfNoReturn'], string>> = {
  undecided: '',
  shared: 'Both sides have the same store: a rollback keeps what the {to} wrote.',
  replay: 'A rollback waits until the {from} has what the {to} served, in a hold, and stays with the {to} otherwise.',
  acceptLoss: 'A rollback loses what the {to} wrote.',
};

function describeSwitch(plan: SwitchPlan, { from, to }: Direction): string[] {
  const { maxPauseMs, maxWaiting, attempts, attemptSeconds, dryRun } = plan;
  return [
    `Requests wait up to ${maxPauseMs} ms, at most ${maxWaiting} at each proxy task. Then the {from} goes on.`,
    'WebSockets, event streams and gRPC streams are closed in order: their clients reconnect, and wait.',
    FENCES[plan.fence],
    ...describeHook(plan),
    ...describeReplay(plan),
    `Up to ${attempts} ${attempts === 1 ? 'attempt' : `attempts, ${formatSeconds(attemptSeconds)} apart`}.`,
    AFTER_COMMIT[plan.rollback],
    WRITES[plan.pointOfNoReturn],
    ...(dryRun ? ['Dry run: the decision is an abort, and the cutover ends after it.'] : []),
  ].map((line) => line.replace('{from}', from).replace('{to}', to));
}

function describeHook({ hook, state }: SwitchPlan): string[] {
  if (state) return describeState(state);
  if (!hook) return [];
  const parts = DECIDING_PARTS.filter((part) => hasPart(hook, part)).map(
    (part) => `${part} (${hook.timeoutMs[part]} ms)`,
  );
  const by = hook.functionArn ?? 'the backends, by HTTP';
  const thaw = hasPart(hook, 'thaw') ? ` After it the side that serves is thawed (${hook.timeoutMs.thaw} ms).` : '';
  return [`Before the decision the hook is called at ${by}: ${parts.join(', ')}.${thaw}`];
}

function describeReplay({ replay }: SwitchPlan): string[] {
  if (!replay) return [];
  const { toSource, toTarget, verifyPath, maxLagSeconds, timeoutMs } = replay;
  const names = [...(toTarget === undefined ? [] : [`'${toTarget}' to the target`]), `'${toSource}' to the source`];
  const compared = ` Then ${verifyPath} of both must have one digest (${timeoutMs.verify} ms).`;
  return [
    `Replays take along what a side has served: ${names.join(', ')}. They are at most ${maxLagSeconds} s behind before a hold, and send the rest in it (${timeoutMs.transfer} ms).${compared}`,
  ];
}

function describeState(state: StatePlan): string[] {
  const { http, valkey, checkpoint, functionArn, timeoutMs, prepareSeconds, probeWrite } = state;
  const by = checkpoint
    ? `the memory of the application is dumped on ${checkpoint.source.instanceId} and restored on ${checkpoint.target.instanceId}`
    : valkey
      ? describeStores(valkey)
      : http
        ? `the proxies copy it from ${http.path} of one backend to the other`
        : `${functionArn} is called`;
  const parts = DECIDING_PARTS.filter((part) => part !== 'probeWrite' || probeWrite);
  const listed = parts.map((part) => `${part} (${timeoutMs[part]} ms)`).join(', ');
  return [
    `The state of the application goes along: ${by}, up to ${formatSeconds(prepareSeconds)} before requests are held.`,
    `In the hold: ${listed}. Both sides must hold the same, or the switch is aborted and what was copied is discarded.`,
  ];
}

function describeStores({ source, target, method, keys }: ValkeyPlan): string {
  if (method === 'replicate') return `${target.url} replicates ${source.url}, and takes its place by FAILOVER`;
  return `the steps copy ${keys === undefined ? 'all keys' : `the keys '${keys}'`} from ${source.url} to ${target.url}`;
}

const ON_HOOK_FAILURE: Readonly<Record<ReturnType<typeof findOnFailure>, string>> = {
  rollBack: 'A failure rolls back.',
  pause: 'After a failure a person is asked.',
  continue: 'A failure is noted, and it goes on.',
};

function describePhaseHook(hook: PhaseHook): string {
  const { name, when, timeoutSeconds } = hook;
  const limit = formatSeconds(timeoutSeconds);
  const wait = findWaitSeconds(hook);
  const notYet = wait > 0 ? `, and up to ${formatSeconds(wait)} while it says not yet` : '';
  return `${when}: '${name}' (${describeCallee(hook)}), up to ${limit}${notYet}. ${ON_HOOK_FAILURE[findOnFailure(hook)]}`;
}

function describeChecks(plan: Plan): string[] {
  const { pollSeconds, minimumHealthyTargets, smoke, breaker, judge, confirmTimeoutSeconds } = plan;
  const { from, to } = findDirection(plan);
  const requests = smoke.map(({ path, expectedStatus }) => `GET ${path} → ${expectedStatus}`);
  return [
    `${describePace(pollSeconds)}: lock, abort request, alarms, listener rules, health, smoke requests, proxy counters.`,
    `The ${to} must have at least ${minimumHealthyTargets} healthy ${minimumHealthyTargets === 1 ? 'target' : 'targets'}.`,
    requests.length === 0 ? 'No smoke requests.' : `Smoke requests to each side: ${requests.join(', ')}.`,
    `Rollback at ${breaker.minimumErrors} errors or more, with an error rate over ${formatPercent(breaker.maximumErrorRate)} (95 % confidence).`,
    `${judge.onFailure === 'pause' ? 'A person is asked' : 'Rollback'} at odds of ${MAX_ODDS} : 1 that the ${to} is worse than the ${from}: more errors, or responses slow more than ${1 + judge.latencyTolerance} times as often.`,
    describePromotion(plan),
    describeNeeded(plan),
    `New weights must read back within ${formatSeconds(confirmTimeoutSeconds)}.`,
  ];
}

function describeCapture({ capture, ...plan }: Plan): string[] {
  if (!capture) return [];
  const { from } = findDirection(plan);
  return [
    `The proxies of the ${from} must record their traffic: at most ${capture.maxUnrecorded} requests without a record, records written within ${formatSeconds(capture.maxPendingSeconds)}.`,
  ];
}

/** Of the stage that gives the least traffic for its time. */
function describeNeeded(plan: Plan): string {
  const { to } = findDirection(plan);
  const requests = requestsToProve(plan.judge.errorBudget);
  const needed = plan.stages.map(({ weights, ...stage }, index) => ({
    index,
    perSecond: (requests * (weights.source + weights.target)) / weights[to] / findMaximumBake({ weights, ...stage }),
  }));
  const { index, perSecond } = needed.reduce((most, each) => (each.perSecond > most.perSecond ? each : most));
  const rate = perSecond < 10 ? Math.ceil(perSecond * 10) / 10 : Math.ceil(perSecond);
  return `Stage ${index + 1} needs the most traffic for that: at least ${rate} requests a second to both sides together.`;
}

/** An invocation of a step looks again and again, until the next one. */
function describePace(pollSeconds: number): string {
  return `Every ${formatSeconds(Math.min(pollSeconds, LOOK_SECONDS))}`;
}

function describePromotion({ judge }: Plan): string {
  const requests = requestsToProve(judge.errorBudget);
  return (
    `A stage is promoted after ${requests} requests without an error, or more with some (an error rate ` +
    `${formatPercent(judge.errorBudget)} over the other side's at most). With fewer it bakes on, to its maximum, then ${judge.inconclusive === 'pause' ? 'asks a person' : 'rolls back'}.`
  );
}

function describeGate(gate: ApprovalGate): readonly [when: string, otherwise: string] {
  if (gate === 'firstShift') {
    return ['Before the first shift', 'Without an approval the cutover ends, and nothing has moved.'];
  }
  const which = gate === 'lastStage' ? 'the last stage' : gate.replace('stage', 'stage ');
  return [`Before ${which}`, 'Without an approval the cutover rolls back.'];
}

function describeApprovals({ approval }: Plan, { approvals }: Explanation): string[] {
  if (approvals.length === 0) return ['None.'];
  const identity = approval.requireIdentity ? ['An approval counts only with an identity that STS confirms.'] : [];
  const lines = approvals.map(({ gate, timeoutSeconds, pollSeconds }) => {
    const [when, otherwise] = describeGate(gate);
    return `${when}: waits up to ${formatSeconds(timeoutSeconds)}, checked every ${formatSeconds(pollSeconds)}. ${otherwise}`;
  });
  return [...lines, ...identity];
}

const MOVED: Readonly<Record<Moves, string>> = {
  none: 'No live connection moves to the other backend.',
  resumable:
    'Live connections that their application can resume move to the other backend: their clients stay connected.',
  all: 'Live connections move to the other backend wherever that is possible: their clients stay connected.',
};

function describeDrain({
  drain: { perKindSeconds, closeRatePerSecond, jitter, order, moves = DEFAULT_MOVES },
}: Plan): string[] {
  return [
    MOVED[moves],
    ...CONNECTION_KINDS.map(
      (kind) => `${KIND_FACTS[kind].plural}: ${formatSeconds(perKindSeconds[kind])} to end by themselves.`,
    ),
    `Then each proxy task closes ${closeRatePerSecond} a second, each up to ${formatPercent(jitter)} of its interval late.`,
    ...(order === undefined ? [] : [describeCloseOrder(order)]),
  ];
}

function describeCloseOrder({ paths, kinds, age }: CloseOrder): string {
  const first = paths.length === 0 ? [] : [`those at ${paths.map(({ path }) => path).join(', then ')}`];
  const ofKinds = kinds === 'shortLivedFirst' ? ['short-lived kinds'] : [];
  return `It closes first: ${[...first, ...ofKinds, age === 'oldestFirst' ? 'the oldest' : 'the youngest'].join('; then ')}.`;
}

function describeDuration({ drain }: Plan, { seconds, approvals }: Explanation): string[] {
  const [atOnce, late] = approvals.length === 0 ? ['', ''] : ['approved at once, ', 'approvals at the last moment, '];
  return [
    `Shortest: about ${formatSeconds(seconds.shortest)}: ${atOnce}nothing left to drain.`,
    `Longest: about ${formatSeconds(seconds.longest)}: bakes at their maximum, slow confirms, ${late}the longest drain.`,
    `A drain takes 1 s more for every ${drain.closeRatePerSecond} connections that a task must close.`,
    'A request that arrives in the drain has its full time: the drain can take twice as long.',
  ];
}

function describeCalls({ apiCalls }: Explanation): string[] {
  return [
    ...apiCalls.map(
      ({ label, perMinute, perMinuteInConfirm, limitPerMinute }) =>
        `${label}: ${perMinute}; ${perMinuteInConfirm} while weights are confirmed. Limit: ${limitPerMinute}.`,
    ),
    'Counted for at most 100 proxy tasks a side and 100 alarms of each type. The limits are those of the whole account and region.',
  ];
}

function describeHistory({ history: { most, budget, limit } }: Explanation): string[] {
  return [`At most ${most} events of ${limit}. A plan may use ${budget}, the rest is for retries and the rollback.`];
}

function formatPercent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}

/** `1 d 2 h 5 min 30 s`, without the parts that are zero. */
export function formatSeconds(seconds: number): string {
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const shown = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return shown.length === 0 ? '0 s' : shown.join(' ');
}
