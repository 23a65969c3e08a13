import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Moves } from '../../core/moves/moves';
import { ADMIN_PATHS, type LedgerReport } from '../../core/proxy/admin-api';
import { buildEnvironment } from '../../core/proxy/settings/setting-names';
import type { Side } from '../../core/traffic/weights';
import { AdminConnection, callAdmin } from '../../lambda/adapters/proxies/admin-client';
import { imageFlags } from '../peers/drainshift';
import type { Child } from '../processes/children';
import { ROOT } from '../processes/resolve';
import type { Workplace } from '../processes/workplace';

const SECRET = 'the secret of this bench, which is long enough';
const CALL_MS = 20_000;

export interface ProxyOrder {
  readonly name: string;
  readonly host: string;
  readonly source: string;
  readonly target: string;
  /** Flags without their dashes. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Of Node itself. */
  readonly nodeFlags?: readonly string[];
  /** A `taskset` list. */
  readonly cores?: string | undefined;
}

/** A proxy between two backends, as it runs in the image, on ports of its own. */
export interface ProxyProcess {
  readonly child: Child;
  readonly port: number;
  retarget(to: Side, moves?: Moves): Promise<void>;
  report(): Promise<LedgerReport>;
}

export async function startProxy(place: Workplace, order: ProxyOrder): Promise<ProxyProcess> {
  const { name, host, source, target, settings = {}, nodeFlags = [], cores } = order;
  const ends = { listen: `${host}:0`, admin: `${host}:0`, upstream: source, 'other-upstream': target };
  const flags = Object.entries({ ...ends, ...settings }).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const launch = {
    command: process.execPath,
    args: [...imageFlags(), ...nodeFlags, join(ROOT, 'dist/assets/proxy/proxy.js'), ...flags],
    env: { ...buildEnvironment({ admin_secret: SECRET }), NODE_ENV: 'production' },
  };
  const child = place.children.start(launch, { name, output: 'lines', cores, openFiles: place.placement.openFiles });
  const { data, admin } = await readPlaces(child);
  const connection = new AdminConnection();
  const call = (method: 'GET' | 'POST', path: string, body?: unknown) =>
    callAdmin({
      ...{ address: host, port: readPort(admin), method, path, body, connection },
      ...{ keys: [SECRET], timeoutMs: CALL_MS },
    });
  return {
    child,
    port: readPort(data),
    retarget: async (to, moves) => void (await call('POST', ADMIN_PATHS.retarget, { to, ...(moves && { moves }) })),
    report: async () => (await call('GET', ADMIN_PATHS.drainStatus)) as LedgerReport,
  };
}

/** What its log says of its ports. */
async function readPlaces(child: Child): Promise<{ readonly data: string; readonly admin: string }> {
  const output = child.process.stdout!;
  for await (const line of createInterface({ input: output })) {
    const { msg, data, admin } = JSON.parse(line) as { msg: string; data: string; admin: string };
    if (msg !== 'Listening') continue;
    output.resume();
    return { data, admin };
  }
  throw new Error(`${child.name} ended early (${await child.ended}): ${child.logTail()}`);
}

const readPort = (place: string) => Number(place.split(':').pop());
