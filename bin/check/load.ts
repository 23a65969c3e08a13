import { Command } from 'commander';
import { LoadOptions, checkLoad } from '../../check/load';
import { showUrl } from '../../check/target';
import { Latency } from '../../core/check/latency';
import { Expectation, LoadFigures, judgeLoad } from '../../core/check/load';
import { LOAD_LIMITS, findForeignProblem, findLoadProblem } from '../../core/check/load-limits';
import { wholeNumberFrom } from '../shared/numbers';
import { WrongUse, runOperator } from '../shared/operator-command';
import { WebSocketFlags, expectationFrom, msFrom, readTarget, timeOption, withSubprotocols, withTarget } from './flags';
import { runCheck, withExits } from './run-check';

interface LoadFlags extends WebSocketFlags {
  readonly connections: number;
  readonly rate: number;
  readonly messages: number;
  readonly interval: number;
  readonly message: string;
  readonly expect: Expectation;
  readonly iOwn?: string;
  readonly maxLost: number;
  readonly maxDoubled: number;
  readonly maxOutOfOrder: number;
  readonly maxDropped: number;
  readonly maxNotOpened: number;
  readonly maxP99?: number;
}

/** As the scripts do that are in use. */
const MESSAGE = '{"type":"message","client_id":"client_{client}","message_id":{n},"timestamp":"{time}"}';
const count = wholeNumberFrom(0, LOAD_LIMITS.totalMessages);

/** Adds `check load`. */
export function addLoadCheck(check: Command, done: (exitCode: number) => void): void {
  const command = check
    .command('load')
    .description('open WebSockets that send numbered messages, and count what comes back');
  const { intervalMs } = LOAD_LIMITS;
  withSubprotocols(withTarget(command, ['ws', 'wss']))
    .option('--connections <number>', 'WebSockets', wholeNumberFrom(1, LOAD_LIMITS.connections), 50)
    .option('--rate <number>', 'how many are opened in a second', wholeNumberFrom(1, LOAD_LIMITS.rate), 50)
    .option('--messages <number>', 'messages of each', wholeNumberFrom(1, LOAD_LIMITS.messages), 10)
    .addOption(timeOption('--interval <time>', 'between two messages of one', [intervalMs.min, intervalMs.max], '1s'))
    .option('--message <text>', 'what is sent: {n}, {client} and {time} are filled in', MESSAGE)
    .option(
      '--expect <what>',
      'the response: echo (the message itself), any (the next message), or where its JSON has the number (/message_id)',
      expectationFrom,
      'echo',
    )
    .option('--i-own <host>', 'the host of the URL, where it is yours to load; needed for more than a small load')
    .option('--max-lost <number>', 'messages that may get no response', count, 0)
    .option('--max-doubled <number>', 'responses that may come twice', count, 0)
    .option('--max-out-of-order <number>', 'responses that may come behind a later one', count, 0)
    .option('--max-dropped <number>', 'WebSockets that may be closed by the other end', count, 0)
    .option('--max-not-opened <number>', 'WebSockets that may not open', count, 0)
    .option('--max-p99 <time>', 'the latency of 99 of 100 responses', msFrom(1, 600_000));
  withExits(command).action(async (flags: LoadFlags) => done(await run(flags)));
}

function run(flags: LoadFlags): Promise<number> {
  const { connections, rate, messages, interval, message, expect: expectation, url, iOwn } = flags;
  const options: LoadOptions = { connections, rate, messages, intervalMs: interval, message, expectation };
  const problem =
    findLoadProblem(options) ?? findForeignProblem(options, url.hostname, iOwn) ?? findMessageProblem(flags);
  if (problem !== undefined) return runOperator(() => Promise.reject(new WrongUse(problem)));
  const { maxLost, maxDoubled, maxOutOfOrder, maxDropped, maxNotOpened, maxP99 } = flags;
  const rules = { maxLost, maxDoubled, maxOutOfOrder, maxDropped, maxNotOpened, maxP99Ms: maxP99 };
  return runCheck('load', { url: showUrl(url), json: flags.json }, async ({ signal, progress }) => {
    const figures = await checkLoad(readTarget(flags), options, signal, progress);
    return { figures, lines: describe(figures), judgement: judgeLoad(figures, rules, signal.aborted) };
  });
}

/** Without its number one message is as the other, and none could be missed. */
function findMessageProblem({ message, expect, messages }: LoadFlags): string | undefined {
  if (expect === 'any' || messages === 1 || message.includes('{n}')) return undefined;
  return `'--message' must have {n} where a response is recognized by it, got '${message}'`;
}

function describe(figures: LoadFigures): string[] {
  const { connections, opened, notOpened, dropped, planned, sent, responded, lost, doubled, outOfOrder, other } =
    figures;
  return [
    `connections  ${opened} of ${connections} opened, ${notOpened} did not open, ${dropped} dropped`,
    `messages     ${sent} of ${planned} sent, ${responded} responses, ${lost} lost, ${doubled} doubled, ${outOfOrder} out of order, ${other} others`,
    `latency      ${describeLatency(figures.latencyMs)}`,
    `opening      ${describeLatency(figures.openingMs)}`,
    `own delay    ${figures.ownDelayMs} ms at the most`,
    ...figures.problems.map(({ problem, count: times }) => `failed (${times}): ${problem}`),
  ];
}

function describeLatency(latency: Latency | undefined): string {
  if (!latency) return 'not measured';
  const { p50, p95, p99, max } = latency;
  return `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, longest ${max} ms`;
}
