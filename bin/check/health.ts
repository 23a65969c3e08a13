import { Command, InvalidArgumentError } from 'commander';
import { HealthReport, checkHealth } from '../../check/health';
import { showUrl } from '../../check/target';
import {
  FIELD_RULE_RULE,
  FieldRule,
  HEALTHY_STATUSES,
  HealthPoll,
  judgeHealth,
  parseFieldRule,
} from '../../core/check/health';
import { formatBroken, formatMs, roundMs } from '../../core/check/verdict';
import { wholeNumberFrom } from '../shared/numbers';
import { WrongUse, runOperator } from '../shared/operator-command';
import { TargetFlags, msFrom, readTarget, timeOption, withTarget } from './flags';
import { runCheck, withExits } from './run-check';

interface HealthFlags extends TargetFlags {
  readonly interval: number;
  readonly duration?: number;
  readonly status?: readonly string[];
  readonly rule?: readonly FieldRule[];
  readonly maxTime?: number;
  readonly maxBad: number;
}

const DAY_MS = 86_400_000;

/** Adds `check health`. */
export function addHealthCheck(check: Command, done: (exitCode: number) => void): void {
  const command = check.command('health').description('poll a health URL, and hold each response to rules');
  withTarget(command, ['http', 'https'])
    .addOption(timeOption('--interval <time>', 'between two polls', [100, DAY_MS], '30s'))
    .option('--duration <time>', 'poll for so long; once, when it is left out', msFrom(100, 7 * DAY_MS))
    .option(
      '--status <word>',
      `what 'status' may say, where it is there; repeatable (default: ${HEALTHY_STATUSES.join(', ')})`,
      readStatus,
    )
    .option('--rule <rule>', `a field that must be there, and hold: ${FIELD_RULE_RULE}; repeatable`, readRule)
    .option('--max-time <time>', 'how long a response may take', msFrom(1, 600_000))
    .option('--max-bad <number>', 'polls that may break a rule', wholeNumberFrom(0, 1_000_000), 0);
  withExits(command).action(async (flags: HealthFlags) => done(await run(flags)));
}

function readStatus(text: string, before: readonly string[] = []): readonly string[] {
  if (text !== '') return [...before, text];
  throw new InvalidArgumentError("must be a word, got ''");
}

function readRule(text: string, before: readonly FieldRule[] = []): readonly FieldRule[] {
  const rule = parseFieldRule(text);
  if (rule) return [...before, rule];
  throw new InvalidArgumentError(`must be ${FIELD_RULE_RULE}, got '${text}'`);
}

function run(flags: HealthFlags): Promise<number> {
  const { interval, duration, status = HEALTHY_STATUSES, rule: fieldRules = [], maxTime, maxBad, json } = flags;
  if (duration !== undefined && duration < interval) {
    const message = `'--duration' must be at least '--interval' (${interval} ms), got ${duration} ms`;
    return runOperator(() => Promise.reject(new WrongUse(message)));
  }
  const rules = { statuses: status, fieldRules, ...(maxTime !== undefined && { maxMs: maxTime }) };
  const plan = { intervalMs: interval, ...(duration !== undefined && { durationMs: duration }), rules };
  return runCheck('health', { url: showUrl(flags.url), json }, async ({ signal, progress, print }) => {
    const found = await checkHealth(readTarget(flags), plan, signal, progress, (poll) => {
      if (!json || poll.broken.length > 0) print(describePoll(poll));
    });
    const judgement = judgeHealth(found, found.broken, maxBad, signal.aborted);
    return { figures: listFigures(found), lines: [`polls ${found.polls}, bad ${found.bad}`], judgement };
  });
}

function listFigures({ polls, bad, lastPolls, badPolls }: HealthReport): object {
  const round = ({ ms, ...poll }: HealthPoll) => ({ ...poll, ...(ms !== undefined && { ms: roundMs(ms) }) });
  return { polls, bad, lastPolls: lastPolls.map(round), badPolls: badPolls.map(round) };
}

function describePoll({ at, httpStatus, ms, fields, broken }: HealthPoll): string {
  const shown = Object.entries(fields).map(([name, value]) => `${name} ${showField(value)}`);
  const head = httpStatus === undefined ? 'no response' : `${httpStatus} in ${formatMs(ms ?? 0)}`;
  const wrong = broken.map((rule) => formatBroken(rule));
  return [`${at}  ${[head, ...shown].join(', ')}`, ...wrong.map((line) => `  ${line}`)].join('\n');
}

function showField(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}
