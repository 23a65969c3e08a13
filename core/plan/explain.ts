import { ApprovalGate, listGates } from '../approval/approval';
import { CONNECTION_KINDS, KIND_FACTS } from '../proxy/connections';
import { formatWeights } from '../traffic/weights';
import { ApiCalls, estimateApiCalls } from './api-calls';
import {
  EVENTS_PER_POLL,
  EVENT_BUDGET,
  MAX_BAKE,
  MAX_EVENTS,
  Plan,
  Stage,
  countLooks,
  estimateSeconds,
  gatePollSeconds,
} from './plan';

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
    ['Checks', describeChecks(plan)],
    ['Approvals', describeApprovals(plan, explained)],
    ['Drain of the source', describeDrain(plan)],
    ['Duration', describeDuration(plan, explained)],
    ['API calls a minute, at the most', describeCalls(explained)],
    ['History of the state machine', describeHistory(explained)],
  ];
  return sections.map(([title, lines]) => `${title}\n${lines.map((line) => `  ${line}\n`).join('')}`).join('\n');
}

function describeStages({ initialWeights }: Plan, { stages }: Explanation): string[] {
  return [
    `Start: ${formatWeights(initialWeights)} (source/target). A rollback restores it.`,
    ...stages.map(
      ({ weights, targetShare, bakeSeconds }, index) =>
        `${index + 1}. ${formatWeights(weights)}: ${formatPercent(targetShare)} of new clients to the target, watched for ${formatSeconds(bakeSeconds)}.`,
    ),
    'A client with a stickiness cookie stays on its side until the side has no weight.',
  ];
}

function describeChecks(plan: Plan): string[] {
  const { pollSeconds, minimumHealthyTargets, smoke, breaker, confirmTimeoutSeconds } = plan;
  const requests = smoke.map(({ path, expectedStatus }) => `GET ${path} → ${expectedStatus}`);
  return [
    `Every ${formatSeconds(pollSeconds)}: lock, abort request, alarms, listener rules, health, smoke requests, proxy counters.`,
    `At least ${minimumHealthyTargets} healthy ${minimumHealthyTargets === 1 ? 'target' : 'targets'} of the target.`,
    requests.length === 0 ? 'No smoke requests.' : `Smoke requests to each side: ${requests.join(', ')}.`,
    `Rollback at ${breaker.minimumErrors} errors or more, with an error rate over ${formatPercent(breaker.maximumErrorRate)} (95 % confidence).`,
    breaker.minimumRequests === 0
      ? 'A stage is promoted even if its target got no request: nothing is proven then.'
      : `A stage whose target got fewer than ${breaker.minimumRequests} requests bakes on, to ${MAX_BAKE} times its length at most, then rolls back.`,
    `New weights must read back within ${formatSeconds(confirmTimeoutSeconds)}.`,
  ];
}

const GATES: Readonly<Record<ApprovalGate, readonly [when: string, otherwise: string]>> = {
  firstShift: ['Before the first shift', 'Without an approval the cutover ends, and nothing has moved.'],
  lastStage: ['Before the last stage', 'Without an approval the cutover rolls back.'],
};

function describeApprovals({ approval }: Plan, { approvals }: Explanation): string[] {
  if (approvals.length === 0) return ['None.'];
  const identity = approval.requireIdentity ? ['An approval counts only with an identity that STS confirms.'] : [];
  const lines = approvals.map(({ gate, timeoutSeconds, pollSeconds }) => {
    const [when, otherwise] = GATES[gate];
    return `${when}: waits up to ${formatSeconds(timeoutSeconds)}, checked every ${formatSeconds(pollSeconds)}. ${otherwise}`;
  });
  return [...lines, ...identity];
}

function describeDrain({ drain: { perKindSeconds, closeRatePerSecond, jitter } }: Plan): string[] {
  return [
    ...CONNECTION_KINDS.map(
      (kind) => `${KIND_FACTS[kind].plural}: ${formatSeconds(perKindSeconds[kind])} to end by themselves.`,
    ),
    `Then each proxy task closes ${closeRatePerSecond} a second, each up to ${formatPercent(jitter)} of its interval late.`,
  ];
}

function describeDuration({ drain }: Plan, { seconds, approvals }: Explanation): string[] {
  const [atOnce, late] = approvals.length === 0 ? ['', ''] : ['approved at once, ', 'approvals at the last moment, '];
  return [
    `Shortest: about ${formatSeconds(seconds.shortest)}: ${atOnce}nothing left to drain.`,
    `Longest: about ${formatSeconds(seconds.longest)}: bakes at ${MAX_BAKE} times their length, slow confirms, ${late}the longest drain.`,
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
