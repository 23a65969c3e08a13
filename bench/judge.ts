// `npm run bench:judge`: how often a rule ends a healthy cutover, and how soon it finds a target that is worse. The traffic is
// drawn, with a seed; the rule of the cutover is the code of `core/judge`, and its peers' are written down after their documents.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { LOOK_SECONDS } from '../core/plan/plan';
import { seededRandom } from '../rehearsal/load-balancer/random';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import type { Figures } from './judge/figures';
import { drawChart } from './judge/chart';
import { RULES, Rule, RuleSetup } from './judge/rules';
import { Behaviour, Extent, Traffic } from './judge/traffic';
import { median } from './report/results';

const USAGE = `Usage: npm run bench:judge -- [--healthy N] [--others N] [--seed N] [--json FILE] [--svg FILE]

  --healthy N   healthy cutovers for each rate of requests (default 1000)
  --others N    cutovers of each other row and rate (default 200)
  --seed N      of all that is drawn (default 1)
  --json FILE   writes the figures
  --svg FILE    draws them
`;

/** Requests of the target in a minute. */
const RATES = [20, 200, 1_000] as const;
const MINUTES = 60;
/** Before the shift: what fixes the thresholds of latency. */
const PAST_MINUTES = 5;

interface Row {
  readonly name: string;
  /** 0–1: of all requests the target's. */
  readonly share: number;
  readonly target: Partial<Omit<Behaviour, 'requestsPerMinute'>>;
  readonly extent?: Extent;
  /** How much more often both sides fail from the tenth to the twentieth minute. */
  readonly together?: number;
  /** Of both sides: see `Behaviour`. */
  readonly stallsPerMinute?: number;
  /** When all of the target stands still for a second: how long after its warm-up. */
  readonly stallAtSeconds?: number;
}

const HEALTHY: Row = { name: 'healthy', share: 0.05, target: {} };
/** What is no fault of the target. */
const DISTURBED: readonly Row[] = [
  { name: 'both sides fail together', share: 0.05, target: {}, together: 20 },
  { name: 'each task stands still for a second now and then', share: 0.05, target: {}, stallsPerMinute: 0.5 },
  { name: 'the only task of the target stands still once', share: 0.05, target: { tasks: 1 }, stallAtSeconds: 10 },
];
const WORSE: readonly Row[] = [
  { name: 'five times the errors', share: 0.05, target: { errorRate: 0.025 } },
  { name: 'a fifth of all requests fail', share: 0.05, target: { errorRate: 0.2 } },
  { name: 'one route of four fails', share: 0.05, target: { errorRate: 0.5 }, extent: 'one route' },
  { name: 'all 1.2 times as slow', share: 0.1, target: { slower: 1.2 } },
  { name: 'all twice as slow', share: 0.1, target: { slower: 2 } },
  { name: '4 % of requests 8 times as slow', share: 0.1, target: { stuck: 0.04 } },
];
const GOOD = { errorRate: 0.005, slower: 1, stuck: 0, tasks: 2 };
/** The source has more traffic, and tasks for it. */
const SOURCE_TASKS = 8;

function main(): number {
  const { values } = parseArgs({
    options: {
      healthy: { type: 'string', default: '1000' },
      others: { type: 'string', default: '200' },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
      svg: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const [healthy, others, seed] = [
    count('--healthy', values.healthy),
    count('--others', values.others),
    count('--seed', values.seed),
  ];
  const figures: Figures[] = [];
  for (const requestsPerMinute of RATES) {
    figures.push(...measure(HEALTHY, requestsPerMinute, healthy, seed));
    for (const row of [...DISTURBED, ...WORSE]) figures.push(...measure(row, requestsPerMinute, others, seed));
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 2)}\n`);
  if (values.svg !== undefined)
    writeFileSync(values.svg, drawChart(figures, { healthy: HEALTHY.name, worse: WORSE[0]!.name }));
  return EXIT_CODES.done.code;
}

function count(name: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UsageError(`'${name}' must be an integer of 1 or more, got '${text}'`);
}

/** All rules see the same traffic, so that they differ in nothing else. */
function measure(row: Row, requestsPerMinute: number, cutovers: number, seed: number): Figures[] {
  const traffic = new Traffic(seededRandom(seed * 1_000_003 + requestsPerMinute), LOOK_SECONDS);
  const found = new Map<string, number[]>();
  for (let cutover = 0; cutover < cutovers; cutover += 1) {
    for (const [rule, minutes] of runCutover(row, requestsPerMinute, traffic)) {
      found.set(rule, [...(found.get(rule) ?? []), minutes]);
    }
  }
  const figures = [...found].map(([rule, minutes]): Figures => {
    const middle = median(minutes);
    const rolledBack = minutes.filter(Number.isFinite).length;
    return {
      row: row.name,
      rule,
      requestsPerMinute,
      cutovers,
      rolledBack,
      ...(Number.isFinite(middle) && { medianMinutes: middle }),
    };
  });
  for (const each of figures) process.stdout.write(`${describe(each)}\n`);
  return figures;
}

function runCutover(row: Row, requestsPerMinute: number, traffic: Traffic): Map<string, number> {
  const { share, stallsPerMinute = 0 } = row;
  const good = { ...GOOD, stallsPerMinute };
  const source = { ...good, requestsPerMinute: (requestsPerMinute * (1 - share)) / share, tasks: SOURCE_TASKS };
  const target = { ...good, ...row.target, requestsPerMinute };
  const setup: RuleSetup = {
    past: traffic.past({ ...source, requestsPerMinute: requestsPerMinute / share }, PAST_MINUTES),
    lookSeconds: LOOK_SECONDS,
    minutes: MINUTES,
  };
  const rules = new Map<string, Rule>(Object.entries(RULES).map(([name, create]) => [name, create(setup)]));
  const minutes = new Map([...rules.keys()].map((name) => [name, Infinity]));
  for (let at = LOOK_SECONDS; at <= MINUTES * 60 && rules.size > 0; at += LOOK_SECONDS) {
    const together = row.together !== undefined && at > 600 && at <= 1_200 ? row.together : 1;
    const [s, t] = [source, target].map((side) => ({ ...side, errorRate: Math.min(1, side.errorRate * together) }));
    const isStalled = at === row.stallAtSeconds;
    const pair = traffic.window(s!, { ...t!, isStalled }, row.extent);
    for (const [name, rule] of rules) {
      if (!rule.look(pair, at)) continue;
      minutes.set(name, at / 60);
      rules.delete(name);
    }
  }
  return minutes;
}

function describe({ row, rule, requestsPerMinute, cutovers, rolledBack, medianMinutes }: Figures): string {
  const soon = medianMinutes === undefined ? '' : `, median ${medianMinutes.toFixed(1)} min`;
  return `${row}; ${requestsPerMinute} requests a minute; ${rule}: ${rolledBack} of ${cutovers} rolled back${soon}`;
}

void runMain(main);
