// `npm run bench:restart`: live WebSockets and requests through a restart of a proxy's code, ours and its peers' in the same run. Exit code 1
// when an aim is missed.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { machine } from './processes/machine';
import { withWorkplace } from './processes/workplace';
import { checkAims } from './restart/aims';
import { drawChart } from './restart/chart';
import type { PeerFigures } from './restart/figures';
import { RESTART_PEERS, type RestartPeer } from './restart/peers';
import { measurePeer, type RestartOptions } from './restart/run';
import { drawTable } from './restart/table';
import { writeFigures } from './report/markdown';

const USAGE = `Usage: npm run bench:restart -- [options]

  --only a,b               of ${RESTART_PEERS.map(({ name }) => name).join(', ')} (all)
  --connections N          WebSockets (10000); a process of the clients may open so many files
  --tls-connections N      WebSockets of drainshift-tls (2000)
  --messages-per-second N  of each connection (1)
  --requests N             a second (2000)
  --restarts N             of ours, one after the other, with the same connections (5); from 10 on the memory is judged, too
  --shutdown-seconds N     until an old process of a peer cuts what it still has (10)
  --logs FILE              what the proxies wrote; it is added to the file
  --json FILE              everything that was measured
  --svg FILE               a picture
  --markdown FILE          a table; in an existing file between its markers
`;

function readCount(name: string, given: string, min = 1): number {
  const value = Number(given);
  if (Number.isFinite(value) && value >= min) return value;
  throw new UsageError(`'--${name}' must be a number of ${min} or more, got '${given}'`);
}

function readPeers(given: string | undefined): readonly RestartPeer[] {
  const names = given?.split(',') ?? RESTART_PEERS.map(({ name }) => name);
  return names.map((name) => {
    const found = RESTART_PEERS.find((peer) => peer.name === name);
    if (found) return found;
    const known = RESTART_PEERS.map((peer) => peer.name).join(', ');
    throw new UsageError(`'--only' must be of ${known}, got '${name}'`);
  });
}

const print = (text: string) => void process.stdout.write(`${text}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      connections: { type: 'string', default: '10000' },
      'tls-connections': { type: 'string', default: '2000' },
      'messages-per-second': { type: 'string', default: '1' },
      requests: { type: 'string', default: '2000' },
      restarts: { type: 'string', default: '5' },
      'shutdown-seconds': { type: 'string', default: '10' },
      logs: { type: 'string' },
      json: { type: 'string' },
      svg: { type: 'string' },
      markdown: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const options: RestartOptions = {
    connections: readCount('connections', values.connections),
    tlsConnections: readCount('tls-connections', values['tls-connections']),
    messagesPerSecond: readCount('messages-per-second', values['messages-per-second'], 0.01),
    requests: readCount('requests', values.requests),
    restarts: readCount('restarts', values.restarts),
    shutdownSeconds: readCount('shutdown-seconds', values['shutdown-seconds']),
    logs: values.logs,
  };
  const figures = await measureAll(readPeers(values.only), options);
  const aims = checkAims(figures);
  const verdicts = aims.map(({ isMet, text }) => `${isMet ? 'met' : 'MISSED'}: ${text}`);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ machine: machine(), options, figures }, undefined, 2)}\n`);
  if (values.svg !== undefined) writeFileSync(values.svg, drawChart(figures));
  if (values.markdown !== undefined) {
    const list = verdicts.map((verdict) => `- ${verdict}`).join('\n');
    writeFigures(values.markdown, 'bench:restart', [drawTable(figures), list].join('\n\n'));
  }
  print(`\n${drawTable(figures)}\n\n${verdicts.join('\n')}`);
  return aims.every(({ isMet }) => isMet) ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

async function measureAll(peers: readonly RestartPeer[], options: RestartOptions): Promise<PeerFigures[]> {
  const figures: PeerFigures[] = [];
  for (const peer of peers) {
    const how = peer.missing();
    if (how !== undefined) print(`${peer.name} is missing; get it: ${how}`);
    else figures.push(await withWorkplace((place) => measurePeer(place, peer, options, print)));
  }
  return figures;
}

void runMain(main);
