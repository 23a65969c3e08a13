import { join } from 'node:path';
import { addMoves, movesSince, NO_MOVES, type MoveFigures } from '../../core/moves/moves';
import { signalChild } from '../../core/errors/signals';
import type { LedgerReport } from '../../core/proxy/admin-api';
import { SIDES, type Side } from '../../core/traffic/weights';
import { nextLine, startScript, type Script } from '../load/script';
import { pause } from '../processes/ports';
import { cpuSeconds, listProcessTree } from '../processes/proc';
import { startProxy, type ProxyProcess } from './proxy';
import type { Workplace } from '../processes/workplace';
import { addUp, type MoveResult, type Round } from './figures';
import type {
  BackendOptions,
  BackendReport,
  ClientsOptions,
  ClientsOrder,
  ClientsReport,
  RoundReport,
} from './messages';

export interface MoveOptions {
  readonly connections: number;
  readonly messagesPerSecond: number;
  /** Rounds, there and back in turn. */
  readonly moves: number;
  readonly proxies: number;
  /** Of each proxy. */
  readonly workers: number;
  /** Of the proxies' own settings. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** A folder for profiles of the proxies' processes. */
  readonly profiles?: string | undefined;
}

/** Before the first round, between two, and after the last. */
const REST_MS = 3_000;
/** What a round may take. */
const ROUND_MS = 180_000;
const POLL_MS = 250;
/** For the messages that are still under way at the end. */
const SETTLE_MS = 15_000;
const PROGRESS_MS = 2_000;

type Tell = (line: string) => void;

/** A process that is asked by lines, and responds with a line to each. */
class Asked<Order extends string, Report> {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly script: Script<Report>) {}

  kill(): Promise<void> {
    return this.script.child.kill();
  }

  ask<R extends Report = Report>(order: Order): Promise<R> {
    const response = this.last.then(() => {
      this.script.child.process.stdin!.write(`${order}\n`);
      return nextLine(this.script) as Promise<R>;
    });
    this.last = response.catch(() => undefined);
    return response;
  }
}

type Backend = Asked<'report', BackendReport> & { readonly url: string };
type Clients = Asked<ClientsOrder, ClientsReport | RoundReport>;

/** The processes of one run: each proxy has a backend process of its own on each side, and a process of clients. */
export class MoveRun {
  private proxies: readonly ProxyProcess[] = [];
  private backends: Readonly<Record<Side, readonly Backend[]>> = { source: [], target: [] };
  private clients: readonly Clients[] = [];

  constructor(
    private readonly place: Workplace,
    private readonly options: MoveOptions,
    private readonly tell: Tell,
  ) {}

  async run(): Promise<MoveResult> {
    const { connections, messagesPerSecond, moves, proxies, workers } = this.options;
    await this.start();
    await this.order('begin');
    await pause(REST_MS);
    const restWaitsMs = await this.takeWaits();
    const rounds: Round[] = [];
    for (let round = 0; round < moves; round += 1) {
      rounds.push(await this.move(round % 2 === 0 ? 'target' : 'source'));
      await pause(REST_MS);
      await this.takeWaits();
    }
    await this.order('end');
    const totals = await this.settle();
    await this.writeProfiles();
    return { connections, messagesPerSecond, proxies, workers, restWaitsMs, rounds, totals };
  }

  private async start(): Promise<void> {
    const { connections, proxies } = this.options;
    const indexes = Array.from({ length: proxies }, (_, index) => index);
    // Each one is there when the other has connected to it.
    const backends = await Promise.all(indexes.flatMap((at) => SIDES.map((side) => this.startBackend(side, at))));
    const of = (side: Side) => backends.filter((_, at) => SIDES[at % SIDES.length] === side);
    this.backends = { source: of('source'), target: of('target') };
    this.proxies = await Promise.all(indexes.map((at) => this.startProxy(at)));
    this.tell(`Connecting ${connections} clients over ${proxies} proxies`);
    this.clients = await Promise.all(indexes.map((at) => this.startClients(at)));
  }

  private async startBackend(side: Side, at: number): Promise<Backend> {
    const { messagesPerSecond, proxies } = this.options;
    const path = (of: Side) => join(this.place.directory, `${of}-${at}.sock`);
    const other = side === 'source' ? 'target' : 'source';
    const host = `127.0.${side === 'source' ? 1 : 2}.${at + 1}`;
    const options: BackendOptions = {
      ...{ host, sessionsFrom: path(side), sessionsTo: path(other) },
      pushesPerSecond: messagesPerSecond / 2 / proxies,
    };
    const script = startScript<BackendReport & { port: number }>(this.place, 'move/backend', options, this.where);
    const { port } = await nextLine(script);
    return Object.assign(new Asked<'report', BackendReport>(script), { url: `http://${host}:${port}` });
  }

  private startProxy(at: number): Promise<ProxyProcess> {
    const { workers, settings, profiles } = this.options;
    const nodeFlags = profiles === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profiles}`];
    return startProxy(this.place, {
      ...{ name: `proxy-${at + 1}`, host: `127.0.3.${at + 1}`, nodeFlags, cores: this.where.cores },
      ...{ source: this.backends.source[at]!.url, target: this.backends.target[at]!.url },
      settings: { workers, ...settings },
    });
  }

  private async startClients(at: number): Promise<Clients> {
    const { connections, messagesPerSecond, proxies } = this.options;
    const { port } = this.proxies[at]!;
    const options: ClientsOptions = {
      ...{ host: `127.0.3.${at + 1}`, port },
      // The first ones have the rest.
      connections: Math.floor(connections / proxies) + (at < connections % proxies ? 1 : 0),
      messagesPerSecond: messagesPerSecond / proxies,
    };
    const script = startScript<ClientsReport | RoundReport>(this.place, 'move/clients', options, this.where);
    await nextLine(script);
    return new Asked(script);
  }

  /** All cores: a run begins on those of the load. */
  private get where(): { readonly cores: string | undefined; readonly openFiles: number } {
    const { proxyCore, loadCores, openFiles } = this.place.placement;
    return { cores: proxyCore === undefined ? undefined : `${proxyCore},${loadCores}`, openFiles };
  }

  private order(order: 'begin' | 'end' | 'report'): Promise<ClientsReport[]> {
    return Promise.all(this.clients.map((clients) => clients.ask<ClientsReport>(order)));
  }

  private async takeWaits(): Promise<readonly number[]> {
    const reports = await Promise.all(this.clients.map((clients) => clients.ask<RoundReport>('round')));
    return reports.flatMap(({ waitsMs }) => waitsMs).sort((a, b) => a - b);
  }

  private async move(to: Side): Promise<Round> {
    const { connections } = this.options;
    const [before, clientsBefore, cpuBefore] = [await this.readProxies(), await this.order('report'), this.cpu()];
    const startMs = performance.now();
    await Promise.all(this.proxies.map((proxy) => proxy.retarget(to)));
    let now = before;
    let reportedMs = startMs;
    do {
      await pause(POLL_MS);
      // A worker that is too busy to respond has not ended.
      now = await this.readProxies().catch(() => now);
      if (performance.now() - reportedMs < PROGRESS_MS) continue;
      reportedMs = performance.now();
      this.tell(
        `  ${now.moved - before.moved} of ${connections} after ${((reportedMs - startMs) / 1000).toFixed(0)} s`,
      );
    } while (!(await this.isOver(to, now)) && performance.now() - startMs < ROUND_MS);
    const seconds = (performance.now() - startMs) / 1000;
    const [clientsNow, cpuNow] = [await this.order('report'), this.cpu()];
    const { stall, longestStallMs, rejected } = movesSince(before.moves, now.moves);
    const moved = now.moved - before.moved;
    this.tell(`Moved ${moved} to the ${to} in ${seconds.toFixed(1)} s`);
    return {
      ...{ to, seconds, moved, stall, longestStallMs, rejected, waitsMs: await this.takeWaits() },
      ...{ messages: countMessages(clientsNow) - countMessages(clientsBefore), cpuSeconds: cpuNow - cpuBefore },
    };
  }

  /** No connection is left at the other side. */
  private async isOver(to: Side, { moves }: { readonly moves: MoveFigures }): Promise<boolean> {
    const left = await Promise.all(this.backends[to === 'target' ? 'source' : 'target'].map((b) => b.ask('report')));
    return moves.underWay === 0 && left.every(({ clients }) => clients === 0);
  }

  private async readProxies(): Promise<{ readonly moved: number; readonly moves: MoveFigures }> {
    const reports = await Promise.all(this.proxies.map((proxy) => proxy.report()));
    return {
      moved: reports.reduce((sum, report) => sum + countMoved(report), 0),
      moves: reports.reduce((all, { moves }) => addMoves(all, moves ?? NO_MOVES), NO_MOVES),
    };
  }

  private cpu(): number {
    return cpuSeconds(this.proxies.flatMap(({ child }) => listProcessTree(child.pid)));
  }

  /** A process writes its profile at an end in order. */
  private async writeProfiles(): Promise<void> {
    if (this.options.profiles === undefined) return;
    await Promise.all(this.clients.map((clients) => clients.kill()));
    for (const { child } of this.proxies) signalChild(child.process, 'SIGTERM');
    await Promise.race([Promise.all(this.proxies.map(({ child }) => child.ended)), pause(SETTLE_MS)]);
  }

  /** Until all that was said has been heard, or long after that. */
  private async settle(): Promise<MoveResult['totals']> {
    const deadline = performance.now() + SETTLE_MS;
    const all = Object.values(this.backends).flat();
    for (;;) {
      const clients = await this.order('report');
      const open = clients.reduce((sum, each) => sum + each.sent - each.acknowledged, 0);
      if (open !== 0 && performance.now() < deadline) {
        await pause(POLL_MS);
        continue;
      }
      // Backends push to the end: the clients are asked behind them.
      const backends = await Promise.all(all.map((backend) => backend.ask('report')));
      await pause(POLL_MS);
      return addUp(await this.order('report'), backends);
    }
  }
}

function countMoved({ ended, carriedEnded }: LedgerReport): number {
  return ended.websocket.moved + (carriedEnded?.websocket.moved ?? 0);
}

function countMessages(clients: readonly ClientsReport[]): number {
  return clients.reduce((sum, { sent, acknowledged, pushed }) => sum + sent + acknowledged + pushed, 0);
}
