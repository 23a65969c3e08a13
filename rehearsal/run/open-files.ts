import { UsageError } from '../errors/usage-error';
import { REQUESTS_PER_USER, type TrafficRates } from '../traffic/options';

/** Of the process that is the load balancer and the AWS endpoint, without traffic: modules, listeners, its processes' pipes. */
const AT_REST = 150;
/** A connection from the client, and one to the proxy. */
const PER_CLIENT = 2;

/**
 * The open files that the busiest process of a rehearsal needs, with a quarter to spare. Measured at the default traffic: 741
 * at the load balancer, 301 at the clients, 270 at a proxy, 265 at a backend.
 */
export function computeOpenFiles(rates: TrafficRates): number {
  const { shop, keepAlive, newConnection, http2, echo, writes, webSockets, eventStreams, chats } = rates;
  const users = (shop + keepAlive + http2 + echo + writes) / REQUESTS_PER_USER + newConnection;
  const clients = users + webSockets + eventStreams + chats;
  return Math.ceil(1.25 * (AT_REST + PER_CLIENT * clients));
}

/**
 * A process that may not open as many files fails clients in its own way: a verdict on the cutover would be wrong.
 *
 * @param limit see `openFileLimit`
 * @throws UsageError
 */
export function checkOpenFiles(rates: TrafficRates, limit: number): void {
  const needed = computeOpenFiles(rates);
  if (limit >= needed) return;
  throw new UsageError(
    `the limit of open files must be at least ${needed} for this traffic, got ${limit}: raise it with 'ulimit -n ${needed}', or give a smaller '--traffic'`,
  );
}
