// `npm run bench:fan-out`: how long one look of a gradual cutover takes at many proxy tasks (see `fan-out/look.ts`), and how long a
// switch takes to hold them, to read them empty, and to release them. The coordinator is that of the Lambda step; the tasks are real admin servers without traffic in a process of their own; the
// store is in memory. One process has both the coordinator's and, beside it, all tasks' work to do: on AWS each task has
// its own processor.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { ADMIN_PATHS, LedgerReport } from '../core/proxy/admin-api';
import { SWITCH_FIELDS } from '../core/plan/switch-plan';
import type { Decision } from '../core/switch/decision';
import { FIRST_REGIME } from '../core/switch/regime';
import type { SwitchRecord } from '../core/switch/switch-record';
import { readFields } from '../core/validation/fields';
import { Problems } from '../core/validation/problems';
import { AdminConnection, callAdmin } from '../lambda/adapters/proxies/admin-client';
import { MAX_KEPT } from '../lambda/adapters/proxies/proxies';
import type { SwitchPorts, SwitchTask } from '../lambda/contract/switch-ports';
import { switchOver } from '../lambda/switch/switch-over';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { measureLook } from './fan-out/look';
import { addressOfTask } from './fan-out/tasks';
import { median } from './report/results';

const USAGE = `Usage: npm run bench:fan-out -- [--of look|switch] [--tasks N,N,…] [--rounds N]

  --of WHAT       what is measured: 'look' or 'switch' (default: both)
  --tasks N,N,…   numbers of tasks, of each side where it is a look (default 100,300,1000)
  --rounds N      looks or switches of each number, after one that does not count (default 5)
`;
const KEY = 'the key of the bench, which is long enough to be one';
const PORT = 19_901;

interface Round {
  readonly record: SwitchRecord;
  readonly skewMs: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      of: { type: 'string' },
      tasks: { type: 'string', default: '100,300,1000' },
      rounds: { type: 'string', default: '5' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const rounds = readCount('--rounds', values.rounds);
  const counts = values.tasks.split(',').map((text) => readCount('--tasks', text));
  const { of } = values;
  if (of !== undefined && of !== 'look' && of !== 'switch') {
    throw new UsageError(`'--of' must be 'look' or 'switch', got '${of}'`);
  }
  if (of !== 'switch') await printLooks(counts, rounds);
  if (of === 'look') return EXIT_CODES.done.code;
  process.stdout.write('tasks   held   skew  empty  decided  released  outcome\n');
  for (const count of counts) print(count, await measure(count, rounds));
  return EXIT_CODES.done.code;
}

function readCount(name: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new UsageError(`'${name}' must be an integer of 1 or more, got '${text}'`);
}

/** Milliseconds, of the whole look, of the processor time of its process, and of the judge. */
async function printLooks(counts: readonly number[], rounds: number): Promise<void> {
  process.stdout.write('tasks a side   look    cpu  judge  files  state      silent\n');
  for (const count of counts) {
    const { wallMs, cpuMs, judgeMs, files, stateBytes, silent } = await measureLook(count, rounds, {
      port: PORT,
      key: KEY,
    });
    const cells = [wallMs, cpuMs, judgeMs, files].map((each) => String(Math.round(each)).padStart(7)).join('');
    process.stdout.write(
      `${String(count).padEnd(11)}${cells}  ${(stateBytes / 1_024).toFixed(0).padStart(4)} KiB  ${silent}\n`,
    );
  }
  process.stdout.write('\n');
}

async function measure(count: number, rounds: number): Promise<Round[]> {
  const child = fork(require.resolve('./fan-out/tasks'), [String(count), String(PORT), KEY]);
  await once(child, 'message');
  const ports = createPorts(count);
  const plan = { ...readFields(new Problems(), 'switch', {}, SWITCH_FIELDS), maxPauseMs: 25_000, dryRun: true };
  const measured: Round[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const findStop = () => Promise.resolve(undefined);
    const record = await switchOver({ to: 'target', execution: `${round}`, plan, findStop }, ports);
    const reported = once(child, 'message');
    child.send('skew');
    const [{ skewMs }] = (await reported) as [{ skewMs: number }];
    if (record && round > 0) measured.push({ record, skewMs });
  }
  child.disconnect();
  await once(child, 'exit');
  return measured;
}

function createPorts(count: number): SwitchPorts {
  let regime = FIRST_REGIME;
  let version = 0;
  const decisions = new Map<number, Decision>();
  const current = () => ({ regime, etag: version === 0 ? undefined : String(version) });
  const isKept = count <= MAX_KEPT;
  return {
    store: {
      readRegime: () => Promise.resolve(current()),
      writeRegime: (next) => {
        regime = next;
        version += 1;
        return Promise.resolve(current());
      },
      readDecision: (epoch) => Promise.resolve(decisions.get(epoch)),
      decide: (epoch, decision) => {
        if (!decisions.has(epoch)) decisions.set(epoch, decision);
        return Promise.resolve(decisions.get(epoch)!);
      },
    },
    listTasks: () => Promise.resolve(Array.from({ length: count }, (_, index) => openTask(index, isKept))),
    traffic: { targets: () => Promise.resolve([]), weights: () => Promise.resolve({ source: 100, target: 0 }) },
    now: () => Date.now(),
    pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  };
}

function openTask(index: number, isKept: boolean): SwitchTask {
  const address = addressOfTask(index);
  const connection = new AdminConnection(isKept);
  const call = async (method: 'GET' | 'POST', path: string, body?: unknown) => {
    const made = { address, port: PORT, method, path, body, keys: [KEY], timeoutMs: 3_000, connection };
    return (await callAdmin(made)) as LedgerReport;
  };
  const session = {
    report: async () => {
      const report = await call('GET', ADMIN_PATHS.drainStatus);
      connection.identity = report.identity;
      return report;
    },
    hold: (order: unknown) => call('POST', ADMIN_PATHS.hold, order),
    release: (order: unknown) => call('POST', ADMIN_PATHS.release, order),
    retarget: (order: unknown) => call('POST', ADMIN_PATHS.retarget, order),
    probe: () => Promise.reject(new Error('not probed')),
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: () => Promise.reject(new Error('not called')),
    close: () => connection.close(),
  };
  return { id: String(index), home: 'source', address, session };
}

/** Milliseconds from the first call to hold. */
function print(count: number, rounds: readonly Round[]): void {
  const middle = (read: (round: Round) => number | undefined) => {
    const all = rounds.map(read).filter((each) => each !== undefined);
    return all.length === 0 ? '–' : String(Math.round(median(all)));
  };
  const ready = rounds.filter(({ record }) => record.why?.startsWith('a dry run')).length;
  const cells = [
    middle(({ record }) => record.heldMs),
    middle(({ skewMs }) => skewMs),
    middle(({ record }) => record.emptyMs),
    middle(({ record }) => record.decidedMs),
    middle(({ record }) => record.releasedMs),
  ];
  const widths = [7, 7, 7, 9, 10];
  const line = cells.map((cell, at) => cell.padStart(widths[at]!)).join('');
  process.stdout.write(`${String(count).padEnd(5)}${line}  ${ready} of ${rounds.length} ready\n`);
}

void runMain(main);
