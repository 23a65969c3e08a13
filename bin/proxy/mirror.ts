import type { Command } from 'commander';
import { describeComparison } from '../../core/compare/describe-comparison';
import { REPORT_VERSION } from '../../core/compare/compare-report';
import type { MirrorReport } from '../../core/compare/mirror-report';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { MIRROR_DROPS, MIRROR_FAILURES } from '../../core/mirror/mirror-counts';
import { ADMIN_PATHS } from '../../core/proxy/admin-api';
import { printable } from '../../core/text/one-line';
import { VERDICT_EXITS, writeComparison } from '../shared/comparison-output';
import { asJson, runOperator } from '../shared/operator-command';
import { ProxyFlags, callProxy, proxyCommand } from './proxy-command';

interface MirrorFlags extends ProxyFlags {
  readonly compare?: string;
}

/** Adds `proxy mirror`. */
export function addMirrorCommand(proxy: Command, done: (exitCode: number) => void): void {
  const exits = [`${EXIT_CODES.unknown.code} inconclusive`];
  proxyCommand(
    proxy.command('mirror'),
    'show how the responses to copied requests differ: exit code 1 to roll back',
    exits,
  )
    .option('--compare <file>', 'write what differs: FILE.json or FILE.html')
    .action(async (flags: MirrorFlags) => done(await runOperator(() => show(flags))));
}

/** @returns the exit code of the verdict @throws CutoverError, or WrongUse without a key */
async function show({ compare, json, ...flags }: MirrorFlags): Promise<number> {
  const report = (await callProxy(flags, { method: 'GET', path: ADMIN_PATHS.mirror })) as MirrorReport;
  const { comparison } = report;
  if (comparison.version !== REPORT_VERSION)
    throw new Error(`The report of the proxy must be of version ${REPORT_VERSION}, got ${comparison.version}`);
  if (compare !== undefined) writeComparison(compare, comparison);
  const lines = [describeCounts(report), ...describeComparison(comparison)];
  process.stdout.write(json ? asJson(report) : lines.map((line) => `${printable(line)}\n`).join(''));
  return VERDICT_EXITS[comparison.verdict];
}

function describeCounts({ url, sent, compared, repeated, failed, dropped }: MirrorReport): string {
  const failures = MIRROR_FAILURES.flatMap((name) => (failed[name] > 0 ? [`${failed[name]} ${name}`] : []));
  const drops = MIRROR_DROPS.flatMap((name) => (dropped[name] > 0 ? [`${dropped[name]} ${name}`] : []));
  return [
    `${url}: ${sent} sent, ${compared} compared, ${repeated} repeated`,
    ...(failures.length > 0 ? [`failed: ${failures.join(', ')}`] : []),
    ...(drops.length > 0 ? [`dropped: ${drops.join(', ')}`] : []),
  ].join('; ');
}
