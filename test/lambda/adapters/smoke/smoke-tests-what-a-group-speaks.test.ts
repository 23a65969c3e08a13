import http2, { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { generate } from 'selfsigned';
import { smokePort } from '../../../../lambda/adapters/smoke/smoke';
import { callByGrpc, getByHttp2 } from '../../../../lambda/adapters/smoke/smoke-http2';
import { SmokeRequest } from '../../../../lambda/adapters/smoke/smoke-request';
import { ARNS, LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { callEndpoint } from '../world';

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A front of HTTP/2 and HTTP/1.1, under a self-signed certificate of this name. */
async function serve(handler: Handler, name = 'shop.example.com'): Promise<number> {
  return listen(http2.createSecureServer({ ...(await certificate(name)), allowHTTP1: true }, handler));
}

async function certificate(name: string): Promise<{ cert: string; key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: name }] }],
  });
  return { cert, key };
}

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const to = (port: number, path = '/', trust: SmokeRequest['trust'] = 'selfSigned') => ({
  ...{ host: '127.0.0.1', port, path, trust },
  name: 'shop.example.com',
});

/** As a load balancer does that has a group of HTTP/2. */
const http2Only: Handler = ({ httpVersion, method, authority }, response) => {
  const isRight = httpVersion === '2.0' && method === 'GET' && authority === 'shop.example.com';
  response.writeHead(isRight ? 204 : 464).end();
};

test('a group of HTTP/2 is asked in HTTP/2', async () => {
  expect(await getByHttp2(to(await serve(http2Only)))).toBe(204);
});

test('the certificate must be good, for the name, and self-signed only where the migration made it', async () => {
  expect(await getByHttp2(to(await serve(http2Only), '/', 'signed'))).toMatch(/self.signed/);
  expect(await getByHttp2(to(await serve(http2Only, 'other.example.com')))).toMatch(/does not match/);
});

test('a load balancer that speaks no HTTP/2 to clients is said to be one', async () => {
  const front = https.createServer(await certificate('shop.example.com'), (_, response) => response.end());
  expect(await getByHttp2(to(await listen(front)))).toBe(
    "the load balancer must speak HTTP/2 ('routing.http2.enabled'), got HTTP/1.1 alone",
  );
});

test('a response that is cut is none', async () => {
  const port = await serve((_, response) => {
    response.writeHead(200);
    response.write('half', () => response.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  });
  expect(await getByHttp2(to(port))).toMatch(/NGHTTP2_INTERNAL_ERROR/);
});

describe('a group of gRPC', () => {
  /** Takes calls with one empty message, and ends them with this status; HTTP/2 that is no call gets 464. */
  const grpc =
    (status: string, message = Buffer.alloc(0)): Handler =>
    (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const isCall = request.method === 'POST' && request.headers['content-type'] === 'application/grpc';
        const isEmpty = Buffer.concat(chunks).equals(Buffer.alloc(5));
        if (!isCall || !isEmpty || request.headers.te !== 'trailers') return void response.writeHead(464).end();
        response.writeHead(200, { 'content-type': 'application/grpc' });
        response.addTrailers({ 'grpc-status': status });
        const prefix = Buffer.from([0, 0, 0, 0, message.length]);
        return void response.end(Buffer.concat([prefix, message]));
      });
    };

  test('is called with an empty message; the call must end well', async () => {
    expect(await callByGrpc(to(await serve(grpc('0')), '/shop.Cart/Count'))).toBe(200);
    expect(await callByGrpc(to(await serve(grpc('12')), '/shop.Cart/Count'))).toBe('grpc-status 12');
  });

  test('whose health service is asked must be SERVING', async () => {
    const path = '/grpc.health.v1.Health/Check';
    expect(await callByGrpc(to(await serve(grpc('0', Buffer.from([8, 1]))), path))).toBe(200);
    expect(await callByGrpc(to(await serve(grpc('0', Buffer.from([8, 2]))), path))).toMatch(/not SERVING/);
  });

  test('and the load balancer’s own rejection is one', async () => {
    const rejecting: Handler = (_, response) => void response.writeHead(464).end();
    expect(await callByGrpc(to(await serve(rejecting)))).toBe(464);
  });
});

describe('which it is', () => {
  let cloud: LocalCloud;
  beforeEach(async () => {
    cloud = await startLocalCloud();
    callEndpoint(cloud.url);
    Object.assign(cloud.elbModel.loadBalancer(ARNS.balancer), { dnsName: '127.0.0.1' });
  });
  afterEach(() => cloud.stop());

  test('the load balancer says, for each side', async () => {
    const asked: string[] = [];
    const port = await serve(({ httpVersion, method }, response) => {
      asked.push(`${method} ${httpVersion}`);
      response.end();
    });
    cloud.elbModel.listener(ARNS.smokeListener).port = port;
    Object.assign(cloud.elbModel.targetGroup(ARNS.target), { protocolVersion: 'HTTP2' });
    const config = {
      loadBalancerArn: ARNS.balancer,
      smokeListenerArns: { source: ARNS.smokeListener, target: ARNS.smokeListener },
      targetGroupArns: { source: ARNS.source, target: ARNS.target },
      domainName: 'shop.example.com',
      isSelfSigned: true,
    };
    const smoke = smokePort(config);
    const request = { path: '/', expectedStatus: 200 };
    const sample = { quorum: 'every', maxAtOnce: 1 } as const;
    expect((await smoke.probe('source', request, sample)).got).toBe(200);
    expect((await smoke.probe('target', request, sample)).got).toBe(200);
    expect(asked).toEqual(['GET 1.1', 'GET 2.0']);
  });
});
