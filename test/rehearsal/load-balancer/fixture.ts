import http, { IncomingMessage, RequestListener, Server } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { Certificate, rehearsalCertificate } from '../../../rehearsal/cloud/certificate';
import { LoadBalancerServer } from '../../../rehearsal/load-balancer/load-balancer';
import { Action, ElbModel, HealthCheck, TargetGroup } from '../../../rehearsal/load-balancer/model/model';
import { until } from '../../support/until';

export interface Response {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

const CHECK: HealthCheck = {
  protocol: 'HTTP',
  port: 'traffic-port',
  path: '/health',
  intervalSeconds: 0.05,
  timeoutSeconds: 1,
  healthyThreshold: 2,
  unhealthyThreshold: 2,
  matcher: '200',
};

/** A load balancer with one HTTPS listener and two groups, its targets plain HTTP servers on port 0. */
export class Fixture {
  readonly model = new ElbModel();
  readonly servers: Server[] = [];
  server!: LoadBalancerServer;
  certificate!: Certificate;

  constructor() {
    this.model.loadBalancers.set('lb', {
      arn: 'lb',
      name: 'lb',
      dnsName: '127.0.0.1',
      scheme: 'internal',
      vpcId: 'vpc',
      subnetIds: [],
      securityGroups: [],
      attributes: new Map(),
      createdAt: new Date(),
    });
    this.model.listeners.set('listener', {
      arn: 'listener',
      loadBalancerArn: 'lb',
      port: 0,
      templatePort: 443,
      protocol: 'HTTPS',
      certificateArns: [],
      sslPolicy: undefined,
      attributes: new Map(),
    });
    for (const name of ['source', 'target']) this.addGroup(name);
    this.setAction(
      forward([
        ['source', 100],
        ['target', 0],
      ]),
    );
  }

  get port(): number {
    return this.model.listener('listener').port;
  }

  addGroup(
    name: string,
    over: {
      attributes?: Record<string, string>;
      check?: Partial<HealthCheck>;
      version?: TargetGroup['protocolVersion'];
    } = {},
  ): TargetGroup {
    const group: TargetGroup = {
      arn: name,
      name,
      protocol: 'HTTP',
      protocolVersion: over.version ?? 'HTTP1',
      port: 80,
      vpcId: 'vpc',
      targetType: 'ip',
      healthCheck: { ...CHECK, ...over.check },
      attributes: new Map(Object.entries(over.attributes ?? {})),
      targets: new Map(),
    };
    this.model.targetGroups.set(name, group);
    return group;
  }

  setAction(action: Action): void {
    this.model.rules.set('rule', {
      arn: 'rule',
      listenerArn: 'listener',
      priority: 1,
      conditions: [],
      actions: [action],
    });
  }

  /** @param over where its connections to targets come from, what is told of its exchanges */
  async start(over: Partial<ConstructorParameters<typeof LoadBalancerServer>[0]> = {}): Promise<this> {
    this.certificate = await rehearsalCertificate('shop.example.com');
    this.server = new LoadBalancerServer({
      model: this.model,
      host: '127.0.0.1',
      tls: this.certificate,
      seed: 1,
      events: { started: () => undefined, opened: () => undefined, ended: () => undefined },
      ...over,
    });
    await this.server.start();
    return this;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    for (const server of this.servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  /** A target that responds with its name, on `/health` with 200. */
  async target(group: string, name: string, respond?: RequestListener): Promise<{ id: string; port: number }> {
    const server = http.createServer((request, response) => {
      if (request.url === '/health' && respond === undefined) return void response.end('ok');
      if (respond) return respond(request, response);
      return void response.end(name);
    });
    this.servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = { id: '127.0.0.1', port: (server.address() as AddressInfo).port };
    this.server.targets.register(group, [address]);
    return address;
  }

  async healthy(group: string, count: number): Promise<void> {
    await until(
      () =>
        [...this.model.targetGroup(group).targets.values()].filter(({ state }) => state === 'healthy').length === count,
    );
  }

  get(path = '/', headers: http.OutgoingHttpHeaders = {}, localAddress?: string): Promise<Response> {
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: this.port,
        path,
        headers: { host: 'shop.example.com', ...headers },
        agent: false,
        localAddress,
        ca: this.certificate.cert,
        servername: 'shop.example.com',
      } as const;
      https
        .get(options, (response: IncomingMessage) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString(),
            }),
          );
        })
        .on('error', reject);
    });
  }
}

export function forward(groups: readonly (readonly [string, number])[], stickySeconds?: number): Action {
  return {
    type: 'forward',
    forward: {
      targetGroups: groups.map(([arn, weight]) => ({ arn, weight })),
      stickiness: { enabled: stickySeconds !== undefined, durationSeconds: stickySeconds ?? 0 },
    },
  };
}

/** `name=value` of the cookies that a response sets. */
export function findCookies(response: Response): Record<string, string> {
  const pairs = (response.headers['set-cookie'] ?? []).map((cookie) => (cookie.split(';')[0] ?? '').split('='));
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value]));
}
