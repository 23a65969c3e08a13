import { putHttpLoad, runLoadScript, type HttpLoad } from '../load/http-load';
import type { LoadResult } from '../load/inside';
import type { EchoLoad } from '../load/websocket';
import type { Instance } from '../peers/instances';
import { isTls, type Peer, type Role } from '../peers/peer';
import { PATHS } from '../upstream/paths';
import { Meter } from './meter';
import type { Row, RowRun, Sample } from './row';

/** Connections that the load keeps open. */
const CONNECTIONS = 64;
/** Below this the proxy waited: the load or the upstream was the limit. */
export const BUSY_ENOUGH = 0.85;

type HttpOptions = Partial<Pick<HttpLoad, 'path' | 'method' | 'bodyBytes' | 'closes' | 'isAlb'>> &
  Pick<Row, 'variants'>;

export const throughputRows: readonly Row[] = [
  httpRow('get', 'small GET, keep-alive', 'http', { variants: ['drainshift-without-ledger'] }),
  httpRow('get-alb', 'small GET behind a load balancer, keep-alive', 'http', { isAlb: true }),
  httpRow('get-64k', 'GET of 64 KiB', 'http', { path: '/64k' }),
  httpRow('get-1m', 'GET of 1 MiB', 'http', { path: '/1m' }),
  httpRow('post-16k', 'POST of 16 KiB', 'http', { path: PATHS.post, method: 'POST', bodyBytes: 16 * 1024 }),
  httpRow('connect', 'small GET, a new connection each', 'http', { closes: true }),
  httpRow('tls', 'small GET over TLS, keep-alive', 'tls', {}),
  httpRow('tls-alb', 'small GET behind a load balancer, over TLS, keep-alive', 'tls', { isAlb: true }),
  httpRow('connect-tls', 'small GET, a new TLS connection each', 'tls', { closes: true }),
  echoRow('echo-64', 'WebSocket echo of 64 B', 'websocket', 64),
  echoRow('echo-4k', 'WebSocket echo of 4 KiB', 'websocket', 4096),
  echoRow('echo-tls', 'WebSocket echo of 64 B over TLS', 'websocketTls', 64),
];

function httpRow(name: string, title: string, role: Role, { variants, ...options }: HttpOptions): Row {
  const measure = async (run: RowRun, peer: Peer) => {
    const instance = await run.instances.of(peer, role);
    const load = (seconds: number): HttpLoad => ({
      path: PATHS.small,
      method: 'GET',
      bodyBytes: 0,
      closes: false,
      isAlb: false,
      ...options,
      port: instance.port,
      isTls: isTls(role),
      connections: CONNECTIONS,
      seconds,
    });
    if (run.isFirstRound) await putHttpLoad(run.place, load(run.warmupSeconds), () => undefined);
    return takeSample(run, instance, (meter) => putHttpLoad(run.place, load(run.seconds), meter.atMark));
  };
  return { name, title, unit: 'requests/s', better: 'higher', measure, ...(variants && { variants }) };
}

function echoRow(name: string, title: string, role: Role, payloadBytes: number): Row {
  const measure = async (run: RowRun, peer: Peer) => {
    const instance = await run.instances.of(peer, role);
    const base = { port: instance.port, path: PATHS.echo, payloadBytes, isTls: isTls(role), connections: CONNECTIONS };
    const put = (seconds: number, meter?: Meter) => {
      const load: EchoLoad = { ...base, seconds };
      return runLoadScript(run.place, 'load/websocket', load, meter?.atMark ?? (() => undefined));
    };
    if (run.isFirstRound) await put(run.warmupSeconds);
    return takeSample(run, instance, (meter) => put(run.seconds, meter));
  };
  return { name, title, unit: 'messages/s', better: 'higher', measure };
}

async function takeSample(
  run: RowRun,
  instance: Instance,
  put: (meter: Meter) => Promise<LoadResult>,
): Promise<Sample> {
  const meter = new Meter(instance.child.pid, run.place.placement.proxyCore);
  const result = await put(meter);
  if (result.requests === 0) throw new Error(`No request got a response, ${result.errors} failed`);
  return { value: result.requests / result.seconds, errors: result.errors, ...meter.costs(result) };
}
