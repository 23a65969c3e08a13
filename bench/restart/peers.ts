import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { ADMIN_PATHS, type LedgerReport } from '../../core/proxy/admin-api';
import { buildEnvironment } from '../../core/proxy/settings/setting-names';
import { callAdmin } from '../../lambda/adapters/proxies/admin-client';
import { makeCertificate } from '../peers/certificate';
import { drainshift, imageFlags } from '../peers/drainshift';
import { haproxy } from '../peers/haproxy';
import { listenerHandover } from '../peers/listener-handover';
import { nginx } from '../peers/nginx';
import type { Job, Peer } from '../peers/peer';
import type { Child, Launch } from '../processes/children';
import { freePort, HOST, listening } from '../processes/ports';
import { ROOT } from '../processes/resolve';
import type { Workplace } from '../processes/workplace';
import { allCores, listProcesses, MARK, signalProcess } from './estate';

const SECRET = 'only-for-this-bench-0123456789';
const CALL_MS = 60_000;

export interface RestartJob {
  readonly upstreamPort: number;
  readonly isTls: boolean;
  /** Until an old process cuts the connections that it still has. */
  readonly shutdownSeconds: number;
}

/** A proxy that is restarted under load. */
export interface RestartPeer {
  /** For `--only`. */
  readonly name: string;
  /** What its restart is. */
  readonly how: string;
  readonly isOurs: boolean;
  readonly isTls: boolean;
  /** Of the messages and requests that the others have. @default 1 */
  readonly loadShare?: number;
  readonly missing: () => string | undefined;
  readonly start: (place: Workplace, job: RestartJob) => Promise<RunningPeer>;
}

export interface RunningPeer {
  readonly ports: readonly number[];
  /** All of it, those that end, too. */
  listProcesses(): number[];
  /** Those that have connections, and end with a restart. */
  listServing(): number[];
  /** Resolves when it has begun, or is done, as the peer has it. @throws Error where the peer rejects it */
  restart(): Promise<void>;
  /** What it has of itself to say: only of ours. */
  report(): Promise<LedgerReport | undefined>;
  /** Temporary files and sockets. */
  listTemporary(): string[];
  log(): string;
  kill(): Promise<void>;
}

const WORKERS = 2;

function ours(row: Pick<RestartPeer, 'name' | 'isTls' | 'loadShare'>): RestartPeer {
  return {
    ...row,
    how: 'POST /restart',
    isOurs: true,
    missing: drainshift.missing,
    start: async (place, job) => {
      const admin = await freePort();
      const call = (method: 'GET' | 'POST', path: string) =>
        callAdmin({ address: HOST, port: admin, method, path, keys: [SECRET], timeoutMs: CALL_MS });
      const one = await startOne(place, job, { launch: (own) => buildLaunch(own, admin) });
      await listening(admin, one.child);
      return {
        ...gather([one]),
        // The first process stays and passes signals on; it has no connections.
        listServing: () => one.listProcesses().filter((pid) => pid !== one.child.pid),
        restart: async () => void (await call('POST', ADMIN_PATHS.restart)),
        report: async () => (await call('GET', ADMIN_PATHS.drainStatus)) as LedgerReport,
      };
    },
  };
}

function buildLaunch({ port, upstreamPort, tls, workers }: Job, admin: number): Launch {
  const flags = {
    ...{ listen: `${HOST}:${port}`, admin: `${HOST}:${admin}`, upstream: `http://${HOST}:${upstreamPort}` },
    workers,
    ...(tls && { 'tls-certificate-file': tls.certificate, 'tls-key-file': tls.key }),
  };
  const list = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  return {
    command: process.execPath,
    args: [...imageFlags(), join(ROOT, 'dist/assets/proxy/proxy.js'), ...list],
    env: { ...buildEnvironment({ admin_secret: SECRET }), NODE_ENV: 'production' },
  };
}

/** One that is a process, or a master with workers, and is restarted with a signal. */
function signalled(peer: Peer, { how, signal, instances, hasMaster }: Signalled): RestartPeer {
  return {
    name: peer.name,
    how,
    isOurs: false,
    isTls: false,
    missing: peer.missing,
    start: async (place, job) => {
      const all: One[] = [];
      for (let index = 0; index < instances; index += 1) all.push(await startOne(place, job, peer));
      const serving = () =>
        all.flatMap((one) => one.listProcesses().filter((pid) => !hasMaster || pid !== one.child.pid));
      return {
        ...gather(all),
        listServing: serving,
        restart: async () => {
          const asked = hasMaster ? all.map(({ child }) => child.pid) : serving();
          for (const pid of asked) signalProcess(pid, signal);
        },
        report: async () => undefined,
      };
    },
  };
}

interface Signalled {
  readonly how: string;
  readonly signal: NodeJS.Signals;
  /** Those that have one process have too few files for all of the connections. */
  readonly instances: number;
  readonly hasMaster: boolean;
}

interface One {
  readonly port: number;
  readonly child: Child;
  readonly temporary: string;
  listProcesses(): number[];
  kill(): Promise<void>;
}

let started = 0;
async function startOne(
  place: Workplace,
  { upstreamPort, isTls, shutdownSeconds }: RestartJob,
  peer: Pick<Peer, 'launch'>,
): Promise<One> {
  started += 1;
  const directory = join(place.directory, `restarted-${started}`);
  const temporary = join(directory, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const [port, mark] = [await freePort(), randomUUID()];
  const { openFiles } = place.placement;
  const tls = isTls ? { tls: await makeCertificate(directory) } : {};
  const launch = await peer.launch({
    port,
    upstreamPort,
    ...tls,
    directory,
    openFiles,
    workers: WORKERS,
    shutdownSeconds,
  });
  const env = { ...launch.env, [MARK]: mark, TMPDIR: temporary };
  const child = place.children.start(
    { ...launch, env },
    { name: `restarted-${started}`, cores: allCores(place), openFiles },
  );
  const list = () => listProcesses(child.pid, mark);
  // A later generation has its own parent.
  const killNow = () => list().forEach((pid) => signalProcess(pid, 'SIGKILL'));
  process.once('exit', killNow);
  await listening(port, child);
  return {
    ...{ port, child, temporary, listProcesses: list },
    kill: async () => {
      killNow();
      process.off('exit', killNow);
      await child.kill();
    },
  };
}

function gather(all: readonly One[]): Pick<RunningPeer, 'ports' | 'listProcesses' | 'listTemporary' | 'log' | 'kill'> {
  return {
    ports: all.map(({ port }) => port),
    listProcesses: () => all.flatMap((one) => one.listProcesses()),
    listTemporary: () => all.flatMap(({ temporary }) => readdirSync(temporary)),
    log: () => all.map(({ child }) => child.log()).join(''),
    kill: async () => void (await Promise.all(all.map((one) => one.kill()))),
  };
}

export const RESTART_PEERS: readonly RestartPeer[] = [
  ours({ name: 'drainshift', isTls: false }),
  // Where the load leaves the processors something.
  ours({ name: 'drainshift-tenth', isTls: false, loadShare: 0.1 }),
  signalled(nginx, { how: 'nginx -s reload (SIGHUP)', signal: 'SIGHUP', instances: 1, hasMaster: true }),
  signalled(haproxy, { how: 'seamless reload (SIGUSR2)', signal: 'SIGUSR2', instances: WORKERS, hasMaster: true }),
  signalled(listenerHandover, {
    how: 'listener hand-over, as Pingora',
    signal: 'SIGUSR2',
    instances: WORKERS,
    hasMaster: false,
  }),
  ours({ name: 'drainshift-tls', isTls: true }),
];
