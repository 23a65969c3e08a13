import { createHmac } from 'node:crypto';
import { ADMIN_PATHS, ADMIN_SIGNATURE_HEADER, ADMIN_TIME_HEADER, LedgerReport, adminStringToSign } from '../core/admin';
import { KindCounts, NO_CONNECTIONS, addKinds } from '../core/connections';
import { SIDES, Side } from '../core/weights';
import type { World } from './world';

export interface SideLedger {
  readonly active: KindCounts;
  readonly draining: boolean;
}

/** The live connections of both sides, asked of every running proxy task; a task that does not answer is left out. */
export async function readLedgers(world: World): Promise<Record<Side, SideLedger>> {
  const { wiring } = world.blueprint;
  const secret = world.secrets.find(wiring.adminSecretArn)?.value ?? '';
  const ledgers = SIDES.map(async (side) => {
    const tasks = [...world.tasks.tasks.values()].filter(
      ({ serviceArn, status }) =>
        world.tasks.services.get(serviceArn)?.name === wiring.serviceNames[side] && status === 'RUNNING',
    );
    const reports = (await Promise.all(tasks.map(({ ip }) => readLedger(ip, wiring.adminPort, secret)))).filter(
      (report) => report !== undefined,
    );
    const active = reports.reduce((sum, report) => addKinds(sum, report.active), NO_CONNECTIONS);
    return [side, { active, draining: reports.some(({ state }) => state !== 'serving') }] as const;
  });
  return Object.fromEntries(await Promise.all(ledgers)) as Record<Side, SideLedger>;
}

async function readLedger(ip: string, port: number, secret: string): Promise<LedgerReport | undefined> {
  const timeMs = String(Date.now());
  const signature = createHmac('sha256', secret)
    .update(adminStringToSign('GET', ADMIN_PATHS.drainStatus, timeMs, ''))
    .digest('hex');
  try {
    const answer = await fetch(`http://${ip}:${port}${ADMIN_PATHS.drainStatus}`, {
      headers: { [ADMIN_TIME_HEADER]: timeMs, [ADMIN_SIGNATURE_HEADER]: signature },
      signal: AbortSignal.timeout(1_000),
    });
    return answer.ok ? ((await answer.json()) as LedgerReport) : undefined;
  } catch {
    return undefined;
  }
}
