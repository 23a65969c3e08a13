import { request } from 'node:https';
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
      return get({ ...(await addresses)[side], path, name: wiring.domainName });
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

function get(to: { host: string; port: number; path: string; name: string }): Promise<number | string> {
  return new Promise((resolve) => {
    const outgoing = request(
      {
        host: to.host,
        port: to.port,
        path: to.path,
        servername: to.name,
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
    outgoing.end();
  });
}
