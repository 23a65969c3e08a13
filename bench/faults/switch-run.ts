// Runs one row of a switch: a cutover of its own local cloud, with a fault at one part of the step.
import { setTimeout as pause } from 'node:timers/promises';
import { eachKind } from '../../core/proxy/connections';
import { readBackWeights } from '../../rehearsal/run/read-back';
import { machineTime } from '../../rehearsal/processes/machine-time';
import { judgeWrites, type WritesTally } from '../../rehearsal/writes/judge-writes';
import { SwitchInjector } from '../../rehearsal/faults/switch-injector';
import type { SwitchFault, SwitchPart } from '../../rehearsal/faults/switch-table';
import type { ClientRecord } from '../switch/messages';
import type { RowResult } from './run';
import { findCause } from './row-setup';
import { SwitchRowSetup } from './switch-setup';

const PLAN = {
  strategy: 'drainThenShift',
  switch: {
    ...{ pointOfNoReturn: 'shared', maxPauseMs: 1_500 },
    ...{ longestRequestSeconds: 1, attempts: 8, attemptSeconds: 1 },
  },
  stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 4 }],
  pollSeconds: 1,
  judge: { errorBudget: 0.46 },
  drain: { perKindSeconds: eachKind(() => 2) },
};
/** A hook takes its time: beside the others, its limits must fit into the pause. */
function choosePlan({ freeze, state: path }: SwitchFault): object {
  const attempts = 3;
  if (path !== undefined) {
    const timeoutMs = { freeze: 900, transfer: 300, verify: 300 };
    return { ...PLAN, switch: { ...PLAN.switch, state: { http: { path }, timeoutMs }, attempts } };
  }
  if (freeze === undefined) return PLAN;
  const hook = {
    http: { freeze, thaw: '/hook/thaw' },
    probeWrite: { path: '/hook/write' },
    timeoutMs: { freeze: 1_000, probeWrite: 400 },
  };
  return { ...PLAN, switch: { ...PLAN.switch, hook, attempts } };
}

const WARM_UP_MS = 1_000;
const AFTERWARDS_MS = 1_000;
/** The end of a stuck rollback is five minutes away at most; a row waits no longer for its execution, in the time that this machine had. */
const MAX_MS = 420_000;

export async function runSwitchRow(app: string, fault: SwitchFault, part: SwitchPart): Promise<RowResult> {
  const setup = await SwitchRowSetup.start(app, choosePlan(fault), fault.state);
  try {
    return await attack(setup, fault, part);
  } finally {
    await setup.stop();
  }
}

async function attack(setup: SwitchRowSetup, fault: SwitchFault, part: SwitchPart): Promise<RowResult> {
  const { cloud } = setup;
  await pause(WARM_UP_MS);
  const injector = new SwitchInjector({ name: fault.name, part }, setup);
  setup.onState = (execution) => injector.see(execution);
  const execution = cloud.states.start(cloud.model.machine.arn, `row-${Date.now()}`, '{}');
  machineTime.start();
  const limitMs = machineTime.nowMs + MAX_MS;
  while (execution.status === 'RUNNING' && machineTime.nowMs < limitMs) await pause(50);
  const isUnderWay = () => cloud.statusRules.calls.some(({ state }) => state === 'underWay');
  while (isUnderWay() && machineTime.nowMs < limitMs) await pause(50);
  await pause(AFTERWARDS_MS);
  const record = await setup.stopWriters();
  const { storeBucket } = cloud.model.config;
  const evidence = cloud.objects.find(storeBucket, `evidence/${execution.name}.json`);
  const weights = await readBackWeights(cloud);
  return judge(fault, part, {
    outcome: evidence ? (JSON.parse(evidence.body.toString()) as { outcome: string }).outcome : 'none',
    cause: findCause(execution),
    weights: weights ? `${weights.source}/${weights.target}` : 'none',
    lock: cloud.objects.find(storeBucket, 'lock.json') ? 'kept' : 'free',
    regime: setup.regime,
    metMs: injector.beganMs,
    record,
    writes: judgeWrites(await setup.readLog(), record.sent),
  });
}

interface Found {
  readonly outcome: string;
  readonly cause: string;
  readonly weights: string;
  readonly lock: 'free' | 'kept';
  readonly regime: SwitchRowSetup['regime'];
  readonly metMs: number | undefined;
  readonly record: ClientRecord;
  readonly writes: WritesTally;
}

function judge(fault: SwitchFault, part: SwitchPart, found: Found): RowResult {
  const { record, metMs, outcome, cause, weights, lock } = found;
  const isByFault = ({ atMs }: { readonly atMs: number }) =>
    metMs !== undefined && fault.harmsMs > 0 && atMs >= metMs && atMs <= metMs + fault.harmsMs;
  const lostBeyond = record.failed.filter((each) => !isByFault(each));
  return {
    ...{ fault: `switch:${fault.name}`, phase: part, outcome, cause, weights, lock },
    requests: record.sent.length,
    lostByFault: record.failed.length - lostBeyond.length,
    lostBeyond: lostBeyond.length,
    ...{ dropped: 0, evidenceLost: 0 },
    wrong: findWrong(fault, found, lostBeyond[0]?.problem),
  };
}

/** No row may have two writers, lose or double a write, or end undecided. */
function findWrong(fault: SwitchFault, found: Found, failed: string | undefined): string[] {
  const { outcome, cause, weights, lock, regime, metMs, writes } = found;
  const { overlaps, lost, doubled, staleEpochs } = writes;
  const wrong: string[] = [];
  const must = (holds: boolean, text: string) => {
    if (!holds) wrong.push(text);
  };
  must(metMs !== undefined, 'the part was never reached');
  must(overlaps === 0, `overlaps must be 0, got ${overlaps}: ${writes.faults[0]}`);
  must(lost + doubled === 0, `lost and doubled writes must be 0, got ${lost} and ${doubled}: ${writes.faults[0]}`);
  must(staleEpochs === 0, `stale epochs must be 0, got ${staleEpochs}`);
  must(regime.switching === undefined, 'the switch must end decided, got one that is under way');
  const serves = { completed: 'target', 'rolled-back': 'source' } as const;
  const ended = fault.ends.find((each) => each === outcome);
  must(ended !== undefined, `outcome must be ${fault.ends.join(' or ')}, got ${outcome}: ${cause}`);
  if (ended) {
    const expected = ended === 'completed' ? '0/100' : '100/0';
    must(weights === expected, `weights must be ${expected}, got ${weights}`);
    must(regime.side === serves[ended], `the regime must be of the ${serves[ended]}, got the ${regime.side}`);
  }
  must(lock === 'free', 'the lock must be free, got one that is kept');
  must(failed === undefined, `writes lost beyond the fault's own must be 0, got one: ${failed}`);
  return wrong;
}
