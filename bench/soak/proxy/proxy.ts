import { join } from 'node:path';
import { buildEnvironment } from '../../../core/proxy/settings/setting-names';
import { imageFlags } from '../../peers/drainshift';
import type { Child } from '../../processes/children';
import { freePort, HOST, listening, pause } from '../../processes/ports';
import { describeFiles, openFiles, residentBytes, listProcessTree } from '../../processes/proc';
import { ROOT } from '../../processes/resolve';
import type { Workplace } from '../../processes/workplace';
import type { Account } from '../account/account';
import { Admin, computeSum, type Report } from './admin';
import type { Door } from './door';
import { keptBytes } from './heap';
import type { Settled } from '../account/verdict';

const SECRET = 'only-for-the-soak-0123456789';
/** After the load, until every slot must be free again: longer than the upstream's idle time. */
const SETTLE_LIMIT_MS = 15_000;
/**
 * An HTTP/2 connection is idle for 75 s (`client_idle_seconds`) before the proxy closes it. A client that does not close its
 * end has up to twice 60 s (`body_idle_seconds`) more.
 */
const FILES_LIMIT_MS = 210_000;
/** Standard streams and the like come and go by a few. */
const SPARE_FILES = 4;
/** pino's `error`. */
const ERROR_LEVEL = 50;

const COMMON = {
  // An upstream that stalls must not take the soak's whole time.
  'upstream-idle-seconds': 2,
  // HTTP/2 to the upstream finds a silent one after twice this.
  'connect-seconds': 2,
  'log-level': 'error',
};

export interface ProxyOrder {
  /** For messages. */
  readonly name: string;
  readonly isTls: boolean;
  readonly workers: number;
  /** Over those that all have. */
  readonly settings: Readonly<Record<string, string | number>>;
}

/** A proxy under load. */
export class SoakedProxy {
  readonly name: string;
  readonly door: Door;
  readonly admin: Admin;
  readonly child: Child;
  /** Read between the cycles. */
  readonly settled: Settled[] = [];
  /** Undefined with several workers: there is one port for all of them. */
  readonly #inspector: number | undefined;
  readonly #filesAtStart: number;

  private constructor(name: string, door: Door, admin: Admin, child: Child, inspector: number | undefined) {
    this.name = name;
    this.door = door;
    this.admin = admin;
    this.child = child;
    this.#inspector = inspector;
    this.#filesAtStart = openFiles(listProcessTree(child.pid));
  }

  static async start(place: Workplace, { name, isTls, workers, settings }: ProxyOrder): Promise<SoakedProxy> {
    const [port, admin, inspector] = [await freePort(), await freePort(), await freePort()];
    const addresses = { listen: `${HOST}:${port}`, admin: `${HOST}:${admin}` };
    const all = { ...COMMON, ...addresses, ...(isTls && { tls: 'self-signed' }), workers, ...settings };
    const flags = Object.entries(all).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
    const inspect = workers > 1 ? [] : [`--inspect=${HOST}:${inspector}`];
    const args = [...imageFlags(), ...inspect, join(ROOT, 'dist/assets/proxy/proxy.js'), ...flags];
    const { proxyCore, openFiles: limit } = place.placement;
    const child = place.children.start(
      {
        command: process.execPath,
        args,
        env: { ...buildEnvironment({ admin_secret: SECRET }), NODE_ENV: 'production' },
      },
      { name, cores: proxyCore === undefined ? undefined : String(proxyCore), openFiles: limit },
    );
    await listening(port, child);
    await listening(admin, child);
    return new SoakedProxy(name, { port, isTls }, new Admin(admin, SECRET), child, workers > 1 ? undefined : inspector);
  }

  /** No client is connected any more: a slot that is still taken was leaked. */
  async becomesZero(account: Account): Promise<boolean> {
    const deadline = performance.now() + SETTLE_LIMIT_MS;
    let report: Report;
    do {
      await pause(200);
      report = await this.admin.report();
      if (computeSum(report.active) + report.hold.waiting === 0) return true;
    } while (performance.now() < deadline);
    const { active, hold } = report;
    account.breachOfRun(`The ledger of ${this.name} must come to zero, got ${JSON.stringify({ active, hold })}`);
    return false;
  }

  async readMemory(): Promise<Settled> {
    const kept = this.#inspector === undefined ? undefined : await keptBytes(this.#inspector);
    await pause(500);
    return { resident: residentBytes(listProcessTree(this.child.pid)), ...(kept !== undefined && { kept }) };
  }

  /** Its files must be closed again, its log without an error. */
  async checkLeftovers(account: Account): Promise<void> {
    const max = this.#filesAtStart + SPARE_FILES;
    const deadline = performance.now() + FILES_LIMIT_MS;
    let files = openFiles(listProcessTree(this.child.pid));
    for (; files > max && performance.now() < deadline; files = openFiles(listProcessTree(this.child.pid)))
      await pause(500);
    if (files <= max) return;
    const what = describeFiles(listProcessTree(this.child.pid));
    account.breachOfRun(`Open files of ${this.name} must come back to ${this.#filesAtStart}, got ${files}: ${what}`);
  }

  /** Ends it by SIGTERM, which must take it to its end in order. */
  async end(account: Account): Promise<void> {
    if (!this.child.isRunning()) return this.#died(account);
    this.child.process.kill('SIGTERM');
    const code = await Promise.race([this.child.ended, pause(SETTLE_LIMIT_MS).then(() => 'nothing')]);
    if (code !== 0)
      account.breachOfRun(`The proxy ${this.name} must end with 0 on SIGTERM, got ${code}: ${this.child.logTail()}`);
    const errors = this.logLines().filter((line) => readLevel(line) >= ERROR_LEVEL);
    if (errors.length > 0)
      account.breachOfRun(`${this.name} must log no error, got ${errors.length}, the first: ${errors[0]}`);
  }

  logLines(): string[] {
    return this.child.log().split('\n');
  }

  async #died(account: Account): Promise<void> {
    const tail = this.child.logTail();
    account.breachOfRun(`${this.name} must live through everything, ended (${await this.child.ended}): ${tail}`);
  }
}

function readLevel(line: string): number {
  return Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 0);
}
