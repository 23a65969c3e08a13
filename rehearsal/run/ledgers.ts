import { randomUUID } from 'node:crypto';
import { ADMIN_HEADERS, ADMIN_PATHS, LedgerReport, adminAddress, adminRequestToSign } from '../../core/proxy/admin-api';
import { KindCounts, NO_CONNECTIONS, addKinds } from '../../core/proxy/connections';
import { SIDES, Side } from '../../core/traffic/weights';
import { withinMachineTime } from '../processes/machine-time';
import { sign } from '../../proxy/admin/signature';
import { PREVIOUS } from '../aws/services/secrets/secret-store';
import type { LocalCloud } from '../cloud/local-cloud';

export interface SideLedger {
  readonly active: KindCounts;
  readonly draining: boolean;
}

/** What a running proxy task says of itself; `report` is undefined of one that does not respond. */
export interface TaskReport {
  readonly home: Side;
  readonly report: LedgerReport | undefined;
}

/** The live connections of both sides, asked of every running proxy task; a task that does not respond is left out. */
export async function readLedgers(cloud: LocalCloud): Promise<Record<Side, SideLedger>> {
  const all = await readTasks(cloud);
  const ledgers = SIDES.map((side) => {
    const reports = all.flatMap(({ home, report }) => (home === side && report ? [report] : []));
    const active = reports.reduce((sum, report) => addKinds(sum, report.active), NO_CONNECTIONS);
    return [side, { active, draining: reports.some(({ state }) => state !== 'serving') }] as const;
  });
  return Object.fromEntries(ledgers) as Record<Side, SideLedger>;
}

/** Those of the source first. */
export async function readTasks(cloud: LocalCloud): Promise<TaskReport[]> {
  const { config } = cloud.model;
  const secret = cloud.secrets.find(config.adminSecretArn);
  // A task that has not heard of a rotation yet knows the one before.
  const keys = [secret?.value, secret?.at(PREVIOUS)?.value].filter((key) => key !== undefined);
  const tasks = SIDES.flatMap((home) =>
    [...cloud.tasks.tasks.values()]
      .filter(
        ({ serviceArn, status }) =>
          cloud.tasks.services.get(serviceArn)?.name === config.serviceNames[home] && status === 'RUNNING',
      )
      .map(({ ip }) => ({ home, ip })),
  );
  return Promise.all(
    tasks.map(async ({ home, ip }) => ({ home, report: await readLedger(ip, config.adminPort, keys) })),
  );
}

async function readLedger(ip: string, port: number, keys: readonly string[]): Promise<LedgerReport | undefined> {
  for (const key of keys) {
    const report = await readWith(key, ip, port);
    if (report) return report;
  }
  return undefined;
}

async function readWith(secret: string, ip: string, port: number): Promise<LedgerReport | undefined> {
  const path = ADMIN_PATHS.drainStatus;
  const call = { time: String(Date.now()), nonce: randomUUID(), address: adminAddress(ip, port) };
  const signature = sign(secret, adminRequestToSign({ method: 'GET', path, ...call, identity: '', body: '' }));
  const read = async (signal: AbortSignal) => {
    const response = await fetch(`http://${ip}:${port}${path}`, {
      headers: {
        [ADMIN_HEADERS.time]: call.time,
        [ADMIN_HEADERS.nonce]: call.nonce,
        [ADMIN_HEADERS.address]: call.address,
        [ADMIN_HEADERS.signature]: signature,
      },
      signal,
    });
    return response.ok ? ((await response.json()) as LedgerReport) : undefined;
  };
  try {
    return await withinMachineTime(1_000, read);
  } catch {
    return undefined;
  }
}
