import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { ifInstalled } from '../support/installed';
import { later, stopAll, until } from '../support/world';
import { BUILT_IN } from './support/adapters';
import { startMoves } from './support/world';

const { graphql, useServer, createClient, testInstalled } = ifInstalled((from) => ({
  graphql: from('graphql') as Graphql,
  ...(from('graphql-ws/use/ws') as { useServer: (options: object, server: WebSocketServer) => unknown }),
  ...(from('graphql-ws') as { createClient: (options: object) => Client }),
}));

interface Graphql {
  buildSchema(source: string): object;
}

interface Client {
  subscribe(payload: { query: string }, sink: Sink): () => void;
  dispose(): void;
}

interface Sink {
  next(result: { data: Record<string, unknown> }): void;
  error(error: unknown): void;
  complete(): void;
}

afterEach(stopAll);

const SCHEMA = 'type Query { slow: String } type Mutation { add: Int } type Subscription { news: Int, other: Int }';

interface Server {
  readonly port: number;
  readonly inits: unknown[];
  readonly subscribed: string[];
  /** All that its clients said. */
  readonly heard: string[];
  publish(number: number): void;
  readonly server: WebSocketServer;
  finishSlow(): void;
}

async function startServer(): Promise<Server> {
  const listeners = new Set<(number: number) => void>();
  const [inits, subscribed, heard]: [unknown[], string[], string[]] = [[], [], []];
  let finish: (result: string) => void = () => undefined;
  const subscribe = async function* (name: string): AsyncGenerator<Record<string, number>> {
    const waiting: number[] = [];
    let wake: () => void = () => undefined;
    const listener = (number: number) => {
      waiting.push(number);
      wake();
    };
    listeners.add(listener);
    subscribed.push(name);
    try {
      for (;;) {
        while (waiting.length > 0) yield { [name]: waiting.shift()! };
        await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      listeners.delete(listener);
    }
  };
  const http = createServer();
  const server = new WebSocketServer({ server: http, path: '/graphql' });
  server.on('connection', (socket) => socket.on('message', (data: Buffer) => heard.push(data.toString())));
  useServer(
    {
      schema: graphql.buildSchema(SCHEMA),
      roots: {
        query: { slow: () => new Promise((resolve) => (finish = resolve)) },
        mutation: { add: () => 1 },
        subscription: { news: () => subscribe('news'), other: () => subscribe('other') },
      },
      onConnect: ({ connectionParams }: { connectionParams: unknown }) => void inits.push(connectionParams),
    },
    server,
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  later(() => {
    for (const client of server.clients) client.terminate();
    http.close();
  });
  return {
    port: (http.address() as AddressInfo).port,
    inits,
    subscribed,
    heard,
    publish: (number) => listeners.forEach((listener) => listener(number)),
    server,
    finishSlow: () => finish('done'),
  };
}

async function start() {
  const servers = [await startServer(), await startServer()] as const;
  const moves = await startMoves(servers[0].port, servers[1].port, { adapters: BUILT_IN });
  const closes: unknown[] = [];
  const client = createClient({
    url: `ws://127.0.0.1:${moves.port}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { token: 't' },
    lazy: false,
    retryAttempts: 0,
    on: { closed: (event: { code: number }) => closes.push(event.code) },
    onNonLazyError: () => undefined,
  });
  later(() => client.dispose());
  return { servers, moves, client, closes };
}

function listen(client: Client, query: string) {
  const heard = { results: [] as unknown[], errors: [] as unknown[], isComplete: false };
  const stop = client.subscribe(
    { query },
    {
      next: ({ data }) => void heard.results.push(Object.values(data)[0]),
      error: (error) => void heard.errors.push(error),
      complete: () => (heard.isComplete = true),
    },
  );
  return Object.assign(heard, { stop });
}

testInstalled('subscriptions of an unmodified client go on under their ids, back and forth', async () => {
  const { servers, moves, client, closes } = await start();
  const news = listen(client, 'subscription { news }');
  const ended = listen(client, 'subscription { other }');
  await until(() => servers[0].subscribed.length === 2);
  servers[0].publish(1);
  await until(() => news.results.length === 1 && ended.results.length === 1);
  ended.stop();
  await until(() => ended.isComplete);
  for (const [round, to] of (['target', 'source', 'target'] as const).entries()) {
    const [from, other] = to === 'target' ? servers : [servers[1], servers[0]];
    const before = other.subscribed.length;
    await moves.retarget(to);
    await until(() => other.subscribed.length === before + 1 && from.server.clients.size === 0);
    other.publish(10 + round);
    await until(() => news.results.length === 2 + round);
  }
  expect(news).toMatchObject({ results: [1, 10, 11, 12], errors: [], isComplete: false });
  expect(listen(client, 'mutation { add }')).toBeDefined();
  await until(() => servers[1].heard.some((text) => text.includes('mutation')));
  news.stop();
  await until(() => servers[1].heard.some((text) => text.includes('"complete"')));
  const ids = [...servers[0].heard, ...servers[1].heard].filter((text) => text.includes('news'));
  expect(new Set(ids).size).toBe(1);
  expect(closes).toEqual([]);
  for (const { inits } of servers) expect(inits.every((init) => (init as { token: string }).token === 't')).toBe(true);
  expect(moves.proxy.report().moves?.rejected).toEqual({});
});

testInstalled('a query under way ends first', async () => {
  const { servers, moves, client } = await start();
  const news = listen(client, 'subscription { news }');
  const slow = listen(client, '{ slow }');
  await until(() => servers[0].heard.some((text) => text.includes('slow')));
  await moves.retarget('target');
  await until(() => moves.proxy.report().moves?.underWay === 1);
  servers[0].publish(1);
  await until(() => news.results.length === 1);
  expect(servers[1].server.clients.size).toBe(0);
  servers[0].finishSlow();
  await until(() => slow.isComplete && servers[1].subscribed.length === 1);
  expect(slow.results).toEqual(['done']);
  servers[1].publish(2);
  await until(() => news.results.length === 2);
});

testInstalled('a new backend that does not let the client in: Close 1012', async () => {
  const { servers, moves, closes, client } = await start();
  listen(client, 'subscription { news }');
  await until(() => servers[0].subscribed.length === 1);
  servers[1].server.removeAllListeners('connection');
  servers[1].server.on('connection', (socket) => socket.close(4403, 'Forbidden'));
  await moves.retarget('target');
  await until(() => closes.length > 0);
  expect(closes).toEqual([1012]);
  expect(moves.proxy.report().moves?.rejected).toEqual({ notResumed: 1 });
});
