// Two hosts with the application, a proxy task of each side before it, and the store and Run Command that the coordinator calls.
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { ADMIN_PATHS, type LedgerReport } from '../../core/proxy/admin-api';
import type { BackendCallReport } from '../../core/proxy/backend-call';
import type { ProbeReport } from '../../core/proxy/probe';
import { buildEnvironment } from '../../core/proxy/settings/setting-names';
import type { CheckpointPlan } from '../../core/plan/state-plan';
import { SIDES, type Side } from '../../core/traffic/weights';
import { AdminConnection, callAdmin } from '../../lambda/adapters/proxies/admin-client';
import { switchStorePort } from '../../lambda/adapters/store/switch-store';
import type { SwitchPorts, SwitchTask, TaskSession } from '../../lambda/contract/switch-ports';
import { startHosts, type Hosts } from '../../rehearsal/hosts/hosts';
import { Addresses } from '../../rehearsal/tasks/addresses';
import { startLocalEndpoint, type LocalEndpoint } from '../endpoint/local-endpoint';
import { imageFlags } from '../peers/drainshift';
import type { Child } from '../processes/children';
import { ROOT } from '../processes/resolve';
import type { Workplace } from '../processes/workplace';

const BUCKET = 'store';
const ADMIN_SECRET = 'only-for-the-bench-0123456789';
const DATA_PORT = 8080;
const ADMIN_PORT = 9000;

export class CheckpointSetup {
  private constructor(
    readonly hosts: Hosts,
    private readonly endpoint: LocalEndpoint,
    private readonly tasks: Readonly<Record<Side, { readonly host: string; readonly child: Child }>>,
  ) {}

  static async start(
    place: Workplace,
    plan: CheckpointPlan,
    { criu, application }: { readonly criu: string; readonly application: readonly string[] },
  ): Promise<CheckpointSetup> {
    const hosts = await startHosts({ criu, plan, application });
    const endpoint = await startLocalEndpoint(BUCKET, { commands: hosts.commands, isFree: true });
    const aws = endpoint.environment;
    // The coordinator is this process.
    Object.assign(process.env, aws);
    const addresses = await Addresses.claim();
    const started = await Promise.all(
      SIDES.map(async (side) => {
        const host = addresses.take();
        return [side, { host, child: await startTask(place, side, host, hosts.urls, aws) }] as const;
      }),
    );
    return new CheckpointSetup(hosts, endpoint, Object.fromEntries(started) as CheckpointSetup['tasks']);
  }

  /** Of a side's proxy task, which forwards to whichever side serves once it has switched. */
  findPlace(side: Side): string {
    return `${this.tasks[side].host}:${DATA_PORT}`;
  }

  get ports(): SwitchPorts {
    return {
      store: switchStorePort(BUCKET),
      listTasks: () => Promise.resolve(SIDES.map((side) => openTask(side, this.tasks[side].host))),
      traffic: {
        targets: (sides) => Promise.resolve(sides.map((side) => side)),
        weights: () => Promise.resolve({ source: 100, target: 0 }),
      },
      now: () => Date.now(),
      pause: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(SIDES.map((side) => this.tasks[side].child.kill()));
    await this.hosts.stop();
    await this.endpoint.stop();
  }
}

async function startTask(
  place: Workplace,
  side: Side,
  host: string,
  urls: Readonly<Record<Side, string>>,
  aws: Readonly<Record<string, string>>,
): Promise<Child> {
  const other = side === 'source' ? 'target' : 'source';
  const listens = ['--listen', `${host}:${DATA_PORT}`, '--admin', `${host}:${ADMIN_PORT}`];
  const forwards = ['--upstream', urls[side], '--other-upstream', urls[other]];
  const flags = [...listens, ...forwards, '--side', side, '--switch-store', BUCKET];
  const child = place.children.start(
    {
      command: process.execPath,
      args: [...imageFlags(), join(ROOT, 'dist/assets/proxy/proxy.js'), ...flags],
      env: { ...buildEnvironment({ admin_secret: ADMIN_SECRET }), ...aws, NODE_ENV: 'production' },
    },
    { name: side, output: 'lines' },
  );
  for await (const line of createInterface({ input: child.process.stdout! })) {
    const { msg } = (line.startsWith('{') ? JSON.parse(line) : {}) as { msg?: string };
    if (msg !== 'Listening') continue;
    child.process.stdout!.resume();
    return child;
  }
  throw new Error(`the proxy of the ${side} must listen, got ${child.logTail()}`);
}

function openTask(home: Side, host: string): SwitchTask {
  const connection = new AdminConnection();
  const call = async <T = LedgerReport>(method: 'GET' | 'POST', path: string, body?: unknown, timeoutMs = 1_500) =>
    (await callAdmin({
      ...{ address: host, port: ADMIN_PORT, method, path, body },
      ...{ keys: [ADMIN_SECRET], timeoutMs, connection },
    })) as T;
  const session: TaskSession = {
    report: () => call('GET', ADMIN_PATHS.drainStatus),
    hold: (order) => call('POST', ADMIN_PATHS.hold, order),
    release: (order) => call('POST', ADMIN_PATHS.release, order),
    retarget: (order) => call('POST', ADMIN_PATHS.retarget, order),
    probe: (order) => call<ProbeReport>('POST', ADMIN_PATHS.probe, order),
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: async (order) =>
      (await callAdmin({
        ...{ address: host, port: ADMIN_PORT, method: 'POST', path: ADMIN_PATHS.backendCall, body: order },
        ...{ keys: [ADMIN_SECRET], timeoutMs: order.timeoutMs + 500 },
      })) as BackendCallReport,
    close: () => connection.close(),
  };
  return { id: home, home, address: home, session };
}
