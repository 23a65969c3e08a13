import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Figure, missingFor, type Suite, type SuiteOptions } from '../figures';
import { type Peer, type Started, startPeer } from '../peers';
import { runJudge } from '../run';
import { autobahnTool } from '../tools';
import type { Launch } from '../../processes/children';
import { freePort, HOST, listening } from '../../processes/ports';
import type { Workplace } from '../../processes/workplace';

/** A tunnel passes frames unread: what it must not do is make a difference. So each case is compared with a direct connection. */
const DIRECT = 'direct';
/** Of size and of compression: minutes of them. */
const SLOW_CASES = ['9.*', '12.*', '13.*'];

/** By agent and case. */
type Report = Readonly<Record<string, Readonly<Record<string, CaseResult>>>>;

interface CaseResult {
  readonly behavior: string;
  readonly behaviorClose: string;
  readonly remoteCloseCode: number | null;
}

interface Bout {
  readonly place: Workplace;
  /** The Python that it is installed in. */
  readonly wstest: string;
  readonly directory: string;
  /** Of the upstream. */
  readonly port: number;
  /** By name, the direct one first. */
  readonly agents: readonly { readonly agent: string; readonly url: string }[];
  readonly cases: object;
}

/** Autobahn's client asks its own server, through the proxy. */
export const autobahnClient: Suite = suite('autobahn-client', fuzzServers);

/** Autobahn's server asks its own client, which came through the proxy. */
export const autobahnServer: Suite = suite('autobahn-server', fuzzClients);

function suite(name: string, fuzz: (bout: Bout) => Promise<string>): Suite {
  return {
    name,
    run: async (place, peers, options) => {
      const tool = autobahnTool();
      if ('missing' in tool) return missingFor(name, peers, tool.missing);
      const directory = join(place.directory, name);
      mkdirSync(directory);
      const port = await freePort();
      const started = await startPeers(place, peers, port);
      const agents = [DIRECT, ...started.keys()].map((agent) => {
        return { agent, url: `ws://${started.get(agent)?.host ?? HOST}:${port}` };
      });
      const file = await fuzz({ place, wstest: tool.path, directory, port, agents, cases: listCases(options) });
      for (const { stop } of started.values()) await stop();
      if (!existsSync(file)) return missingFor(name, peers, 'it wrote no report');
      const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
      return peers.map((peer) => buildFigure(name, peer, report));
    },
  };
}

/** Autobahn wants its own port in `Host`: each proxy has that of the upstream, at an address of its own. */
async function startPeers(place: Workplace, peers: readonly Peer[], port: number): Promise<Map<string, Started>> {
  const started = new Map<string, Started>();
  for (const [index, peer] of peers.entries()) {
    const at = { host: `127.0.0.${index + 2}`, port };
    if (peer.missing() === undefined) started.set(peer.name, await startPeer(place, peer, 'http1', port, at));
  }
  return started;
}

/** It listens at every address, and the proxies have the same port: kept to one here. */
const WSTEST = `
import sys, twisted.internet.tcp as tcp
init = tcp.Port.__init__
tcp.Port.__init__ = lambda self, port, factory, backlog=50, interface='', reactor=None: init(
    self, port, factory, backlog, '${HOST}', reactor)
from autobahntestsuite.wstest import run
sys.argv[0] = 'wstest'
run()
`;

function wstestLaunch(python: string, ...args: string[]): Launch {
  return { command: python, args: ['-c', WSTEST, ...args] };
}

function listCases({ isQuick }: SuiteOptions): object {
  return { cases: ['*'], 'exclude-cases': isQuick ? SLOW_CASES : [], 'exclude-agent-cases': {} };
}

async function fuzzServers({ place, wstest, directory, port, agents, cases }: Bout): Promise<string> {
  const echo = wstestLaunch(wstest, '-m', 'testeeserver', '-w', `ws://${HOST}:${port}`);
  const server = place.children.start(echo, { name: 'testeeserver' });
  await listening(port, server);
  const spec = join(directory, 'spec.json');
  writeFileSync(spec, JSON.stringify({ outdir: directory, servers: agents, ...cases }));
  await runJudge(place, 'fuzzingclient', wstestLaunch(wstest, '-m', 'fuzzingclient', '-s', spec));
  await server.kill();
  return join(directory, 'index.json');
}

async function fuzzClients({ place, wstest, directory, port, agents, cases }: Bout): Promise<string> {
  const spec = join(directory, 'spec.json');
  writeFileSync(spec, JSON.stringify({ url: `ws://${HOST}:${port}`, outdir: directory, ...cases }));
  const fuzz = wstestLaunch(wstest, '-m', 'fuzzingserver', '-s', spec, '--webport', '0');
  const server = place.children.start(fuzz, { name: 'fuzzingserver' });
  await listening(port, server);
  for (const { agent, url } of agents) {
    await runJudge(place, 'testeeclient', wstestLaunch(wstest, '-m', 'testeeclient', '-w', url, '-i', agent));
  }
  await server.kill();
  return join(directory, 'index.json');
}

function buildFigure(name: string, { name: peer, missing }: Peer, report: Report): Figure {
  const absent = missing();
  if (absent !== undefined) return { suite: name, peer, missing: absent, failures: [] };
  const direct = report[DIRECT];
  const through = report[peer];
  if (!direct || !through) return { suite: name, peer, missing: 'it is not in the report', failures: [] };
  const cases = Object.keys(direct);
  const failures = cases
    .filter((id) => readText(through[id]) !== readText(direct[id]))
    .map((id) => `${id}: ${readText(through[id])}, and ${readText(direct[id])} without it`);
  return { suite: name, peer, passed: cases.length - failures.length, of: cases.length, failures };
}

function readText(result: CaseResult | undefined): string {
  return result ? `${result.behavior}/${result.behaviorClose}/${result.remoteCloseCode}` : 'no result';
}
