import { SIDES, Side } from '../../core/traffic/weights';
import { clientAddress } from '../processes/loopback';
import type { RunningRehearsal } from './running-rehearsal';
import { Http1Transport } from '../traffic/transport/http1-transport';
import { Http2Transport } from '../traffic/transport/http2-transport';
import { parseJson } from '../traffic/clients/http-checker';
import { findEndpoint, TrafficOptions } from '../traffic/options';
import type { Endpoint } from '../traffic/transport/endpoint';

/** What a request looks like to the application, behind the load balancer and the proxies of its side. */
export interface ApplicationView {
  /** The address of its connection. */
  readonly connectedFrom: string;
  /** `X-Forwarded-For` as it came, from left to right; undefined when there was none. */
  readonly forwardedFor: string | undefined;
  /** Whose address is which. */
  readonly names: Readonly<Record<string, string>>;
  /**
   * How many hops the application must trust so as to take the client's address for the client's, as `trust proxy` of
   * Express counts them; undefined when that address is nowhere.
   */
  readonly trustedHops: number | undefined;
}

/** What the demo's backend says of a request. */
interface Received {
  readonly connectedFrom: string;
  readonly forwardedFor?: string;
}

export const VIEW_PATH = '/hops';

/**
 * Asks the demo's backends, through their smoke listeners, what they see of a client. A user's application is not asked: it
 * sees for itself.
 *
 * @returns undefined for a user's own backends, where all hops have one address, and where one does not say
 */
export async function askApplications(
  { cloud, backends, isHttp2Only }: RunningRehearsal,
  traffic: TrafficOptions,
): Promise<Readonly<Record<Side, ApplicationView>> | undefined> {
  if (!backends.own || !cloud.hasLoopbackNetwork) return undefined;
  const client = clientAddress(0);
  const { config, elb } = cloud.model;
  const views: Partial<Record<Side, ApplicationView>> = {};
  for (const side of SIDES) {
    const { port } = elb.listener(config.smokeListenerArns[side]);
    const received = await ask({ ...findEndpoint(traffic), port, localAddress: client }, isHttp2Only);
    if (!received) return undefined;
    const names = { [client]: 'client', [cloud.balancerAddress]: 'load balancer', [received.connectedFrom]: 'proxy' };
    views[side] = findView(received, client, names);
  }
  return views as Record<Side, ApplicationView>;
}

export function findView(
  { connectedFrom, forwardedFor }: Received,
  client: string,
  names: Readonly<Record<string, string>>,
): ApplicationView {
  const listed = (forwardedFor ?? '').split(',').map((address) => address.trim());
  const hops = [connectedFrom, ...listed.reverse()].indexOf(client);
  return { connectedFrom, forwardedFor, names, trustedHops: hops === -1 ? undefined : hops };
}

async function ask(endpoint: Endpoint, isHttp2: boolean): Promise<Received | undefined> {
  const ignored = () => undefined;
  const transport = isHttp2 ? new Http2Transport(endpoint, ignored) : new Http1Transport(endpoint, false, ignored);
  try {
    const response = await transport.send({ method: 'GET', path: VIEW_PATH });
    return response.status === 200 ? (parseJson(response) as Received | undefined) : undefined;
  } catch {
    return undefined;
  } finally {
    transport.close();
  }
}
