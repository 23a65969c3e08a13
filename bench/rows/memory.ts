import type { IdleLine, IdleLoad } from '../load/idle';
import { nextLine, startScript } from '../load/script';
import { isTls, isWebSocket, type Peer, type Role } from '../peers/peer';
import { pause } from '../processes/ports';
import { residentBytes, listProcessTree } from '../processes/proc';
import type { Workplace } from '../processes/workplace';
import { PATHS } from '../upstream/paths';
import type { Row, RowRun, Sample } from './row';

/**
 * Opened and closed before the first reading, so that what is only loaded or allotted once is not counted. Few: a heap
 * that has grown under many holds room for the connections that are measured, and they would seem to cost nothing.
 */
const WARMUP_CONNECTIONS = 200;

export const memoryRows: readonly Row[] = [
  memoryRow('idle-websocket', 'memory of an idle WebSocket', 'websocket', 2),
  memoryRow('idle-websocket-tls', 'memory of an idle WebSocket over TLS', 'websocketTls', 2),
  memoryRow('idle-keep-alive', 'memory of an idle keep-alive connection', 'http', 1),
];

/** @param filesEach how many files one connection costs a proxy */
function memoryRow(name: string, title: string, role: Exclude<Role, 'tls'>, filesEach: number): Row {
  const measure = async (run: RowRun, peer: Peer): Promise<Sample> => {
    const { place, idleConnections } = run;
    const connections = Math.min(idleConnections, Math.floor((place.placement.openFiles - 200) / filesEach));
    const load: Omit<IdleLoad, 'port' | 'connections'> = isWebSocket(role)
      ? { path: PATHS.echo, kind: 'websocket', isTls: isTls(role) }
      : { path: PATHS.small, kind: 'keepAlive', isTls: false };
    // A fresh one each time: what earlier rows left in a heap is not this row's.
    const { port, child } = await run.instances.fresh(peer, role);
    try {
      await holdOpen(place, { ...load, port, connections: WARMUP_CONNECTIONS }, async () => undefined);
      const resident = async () => {
        await pause(run.settleSeconds * 1000);
        return residentBytes(listProcessTree(child.pid));
      };
      const before = await resident();
      const during = await holdOpen(place, { ...load, port, connections }, resident);
      const note = `${connections.toLocaleString('en')} connections`;
      return { value: (during.result - before) / connections, errors: during.lost, note };
    } finally {
      await child.kill();
    }
  };
  return { name, title, unit: 'bytes', better: 'lower', isOnce: true, measure };
}

async function holdOpen<T>(
  place: Workplace,
  load: IdleLoad,
  meanwhile: () => Promise<T>,
): Promise<{ result: T; lost: number }> {
  const { loadCores: cores, openFiles } = place.placement;
  const script = startScript<IdleLine>(place, 'load/idle', load, { cores, openFiles });
  try {
    await nextLine(script);
    const result = await meanwhile();
    script.child.process.stdin?.end();
    const { lost = 0 } = await nextLine(script);
    return { result, lost };
  } finally {
    await script.child.kill();
  }
}
