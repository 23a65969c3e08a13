import { request } from 'node:https';
import { PeerCertificate, TLSSocket, checkServerIdentity } from 'node:tls';
import {
  DescribeListenersCommand,
  DescribeLoadBalancersCommand,
  ElasticLoadBalancingV2Client,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { Side } from '../../core/weights';
import { CutoverWiring } from '../../core/wiring';
import type { SmokePort } from '../ports';
import { CLIENT_CONFIG } from './client-config';

const TIMEOUT_MS = 10_000;

/**
 * Smoke requests to the load balancer's own address, under the name that clients use: that name is sent as SNI and Host,
 * and the certificate must be good for it.
 */
export function smokePort(wiring: CutoverWiring): SmokePort {
  const client = new ElasticLoadBalancingV2Client(CLIENT_CONFIG);
  let addresses: Promise<Record<Side, { host: string; port: number }>> | undefined;
  return {
    get: async (side, path) => {
      addresses ??= smokeAddresses(client, wiring);
      // A failed look-up must not be remembered for the life of the function.
      addresses.catch(() => (addresses = undefined));
      return get({
        ...(await addresses)[side],
        path,
        name: wiring.domainName,
        isSelfSigned: wiring.isSelfSigned ?? false,
      });
    },
  };
}

/** Read from the load balancer and not from the template: the ports in force are the ones that listen. */
async function smokeAddresses(client: ElasticLoadBalancingV2Client, wiring: CutoverWiring) {
  const { source, target } = wiring.smokeListenerArns;
  const [balancers, listeners] = await Promise.all([
    client.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [wiring.loadBalancerArn] })),
    client.send(new DescribeListenersCommand({ ListenerArns: [source, target] })),
  ]);
  const host = balancers.LoadBalancers?.[0]?.DNSName;
  if (host === undefined) throw new Error(`load balancer '${wiring.loadBalancerArn}' must have a DNS name, got none`);
  const port = (arn: string) => {
    const found = listeners.Listeners?.find(({ ListenerArn }) => ListenerArn === arn)?.Port;
    if (found === undefined) throw new Error(`listener '${arn}' must have a port, got none`);
    return found;
  };
  return { source: { host, port: port(source) }, target: { host, port: port(target) } };
}

export interface SmokeRequest {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** SNI, Host, and the name that the certificate must be good for. */
  readonly name: string;
  readonly isSelfSigned: boolean;
}

/** The status of the answer, or why there was none. */
export function get(to: SmokeRequest): Promise<number | string> {
  return new Promise((resolve) => {
    const outgoing = request(
      {
        host: to.host,
        port: to.port,
        path: to.path,
        servername: to.name,
        rejectUnauthorized: !to.isSelfSigned,
        headers: { host: to.name, 'user-agent': 'drainshift-smoke' },
        agent: false,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      },
      (answer) => {
        answer.resume();
        answer.on('error', (error) => resolve(error.message));
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    outgoing.on('error', (error) => {
      const isLate = error.name === 'AbortError' || error.name === 'TimeoutError';
      resolve(isLate ? `no answer within ${TIMEOUT_MS / 1000} s` : error.message);
    });
    if (to.isSelfSigned) {
      outgoing.on('socket', (socket: TLSSocket) => {
        socket.once('secureConnect', () => {
          const wrong = faultOf(to.name, socket.getPeerCertificate());
          if (wrong !== undefined) outgoing.destroy(wrong);
        });
      });
    }
    outgoing.end();
  });
}

/** What a certificate that nobody vouches for must still be: of that name, and in its time. */
function faultOf(name: string, certificate: PeerCertificate): Error | undefined {
  const nowMs = Date.now();
  if (nowMs < Date.parse(certificate.valid_from) || nowMs > Date.parse(certificate.valid_to)) {
    return new Error(`the certificate must be valid now, got ${certificate.valid_from} to ${certificate.valid_to}`);
  }
  return checkServerIdentity(name, certificate);
}
