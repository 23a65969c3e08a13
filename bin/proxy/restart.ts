import type { Command } from 'commander';
import { ADMIN_PATHS, LedgerReport } from '../../core/proxy/admin-api';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { formatHostPort } from '../../core/validation/host-port';
import { EXIT, asJson, report, runOperator } from '../shared/operator-command';
import { Stop, untilStopped } from '../shared/stop';
import { KeyFlags, ProxyFlags, callProxy, proxyCommand } from './proxy-command';

/** Longer than a new generation may take to prove itself. */
const RESTART_MS = 1000 * PROXY_SETTINGS.restart_timeout_seconds.max + 10_000;

/** Adds `proxy restart`. */
export function addRestartCommand(proxy: Command, done: (exitCode: number) => void): void {
  proxyCommand(
    proxy.command('restart'),
    'start a new generation of a proxy, from the files on its disk; it responds when that one serves',
  ).action(async (flags: ProxyFlags) => done(await runOperator((stop) => restartOne(flags, stop))));
}

/** @throws CutoverError that says why the old generation goes on */
export async function restart(flags: KeyFlags & Pick<ProxyFlags, 'admin'>): Promise<LedgerReport> {
  const call = { method: 'POST', path: ADMIN_PATHS.restart, timeoutMs: RESTART_MS } as const;
  return (await callProxy(flags, call)) as LedgerReport;
}

export function describeGeneration({ generations }: LedgerReport): string {
  return `generation ${generations?.number ?? 'unknown'}`;
}

async function restartOne(flags: ProxyFlags, { signal, endInOrder }: Stop): Promise<number> {
  endInOrder();
  const at = formatHostPort(flags.admin);
  report(`${at}: a new generation starts and proves itself`);
  const after = await untilStopped(restart(flags), signal, 'not followed any more: the proxy restarts all the same');
  process.stdout.write(flags.json ? asJson(after) : `${describeGeneration(after)} serves at ${at}\n`);
  return EXIT.done;
}
