import { Command, InvalidArgumentError, Option } from 'commander';
import { ADMIN_PATHS, LedgerReport } from '../../core/proxy/admin-api';
import { CANARY_LISTENERS, CanaryListener, GenerationFigures, RestartOrder } from '../../core/proxy/restart';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { formatHostPort } from '../../core/validation/host-port';
import { readDecimal } from '../shared/numbers';
import { EXIT, WrongUse, asJson, report, runOperator } from '../shared/operator-command';
import { Stop, untilStopped } from '../shared/stop';
import { KeyFlags, ProxyFlags, callProxy, proxyCommand } from './proxy-command';

/** Longer than a new generation may take to prove itself, and the report behind that. */
const RESTART_MS = 1000 * PROXY_SETTINGS.restart_timeout_seconds.max + 40_000;

interface RestartFlags extends ProxyFlags {
  readonly share?: number;
  readonly listeners?: readonly CanaryListener[];
  readonly back: boolean;
}

/** Adds `proxy restart`. */
export function addRestartCommand(proxy: Command, done: (exitCode: number) => void): void {
  const listeners = new Option(
    '--listeners <names>',
    `of which listeners the share is: ${CANARY_LISTENERS.join(', ')}`,
  );
  proxyCommand(
    proxy.command('restart'),
    'start a new generation of a proxy, from the files on its disk; it responds when that one serves',
  )
    .option(
      '--share <number>',
      'give a new generation this share of the new connections first, over 0 and under 1; 1 then gives it everything',
      readShare,
    )
    .addOption(listeners.argParser(readListeners))
    .option('--back', 'take back a new generation that has a share', false)
    .action(async (flags: RestartFlags) => done(await runOperator((stop) => restartOne(flags, stop))));
}

function readShare(text: string): number {
  const share = readDecimal(text);
  if (share !== undefined && share > 0 && share <= 1) return share;
  throw new InvalidArgumentError(`must be a number over 0, and 1 at the most, got '${text}'`);
}

function readListeners(text: string): readonly CanaryListener[] {
  return text.split(',').map((name) => {
    const known = CANARY_LISTENERS.find((each) => each === name);
    if (known === undefined) {
      throw new InvalidArgumentError(`must be ${CANARY_LISTENERS.join(', ')}, got '${name}'`);
    }
    return known;
  });
}

/** @throws CutoverError that says why the old generation goes on */
export async function restart(
  flags: KeyFlags & Pick<ProxyFlags, 'admin'>,
  order: RestartOrder = {},
): Promise<LedgerReport> {
  const call = { method: 'POST', path: ADMIN_PATHS.restart, body: order, timeoutMs: RESTART_MS } as const;
  return (await callProxy(flags, call)) as LedgerReport;
}

export function describeGeneration({ generations }: LedgerReport): string {
  return `generation ${generations?.number ?? 'unknown'}`;
}

async function restartOne(flags: RestartFlags, { signal, endInOrder }: Stop): Promise<number> {
  const order = readOrder(flags);
  endInOrder();
  const at = formatHostPort(flags.admin);
  // A wrong key, or a proxy that is not there, is the first to be known.
  await callProxy(flags, { method: 'GET', path: ADMIN_PATHS.identity });
  report(`${at}: ${announce(order)}`);
  const restarted = restart(flags, order);
  const after = await untilStopped(restarted, signal, 'not followed any more: the proxy restarts all the same');
  process.stdout.write(flags.json ? asJson(after) : describeResult(after, order, at));
  return EXIT.done;
}

function readOrder({ share, listeners, back }: RestartFlags): RestartOrder {
  if (back && share !== undefined) throw new WrongUse("'--back' must be given without '--share', got both");
  if (listeners && share === undefined) throw new WrongUse("'--share' must be given with '--listeners', got none");
  if (back) return { share: 0 };
  return share === undefined ? {} : { share, ...(listeners && { listeners }) };
}

function announce({ share }: RestartOrder): string {
  if (share === undefined) return 'a new generation starts and proves itself';
  if (share === 0) return 'the new generation is taken back';
  return share === 1
    ? 'the new generation gets everything'
    : `a new generation gets a share of ${share} of the new connections`;
}

function describeResult(after: LedgerReport, { share }: RestartOrder, at: string): string {
  const { canary, restart: state } = after.generations ?? {};
  if (share === 0 && state === 'ending')
    return `${describeGeneration(after)} gets all new connections at ${at}; some of the canary have not ended\n`;
  if (share === 0) return `${describeGeneration(after)} serves alone at ${at}\n`;
  if (!canary) return `${describeGeneration(after)} serves at ${at}\n`;
  const lines = canary.generations.map(describeFigures);
  return [`a share of ${canary.share} of the new connections, for ${canary.seconds} s`, ...lines, ''].join('\n');
}

function describeFigures({ number, connections, requests }: GenerationFigures): string {
  return `generation ${number}: ${connections} connections, ${requests.total} requests, ${requests.errors} errors`;
}
