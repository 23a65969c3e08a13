// A server of graphql-transport-ws with a subscription: node graphql-server.mjs
import { createServer } from 'node:http';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const TICK_MS = 200;
const http = createServer();
const server = new WebSocketServer({ server: http, path: '/graphql' });
const counts = { subscriptions: 0, mutations: 0 };

async function* ticks() {
  counts.subscriptions += 1;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    yield { ticks: Date.now() };
  }
}

const roots = {
  query: { ok: () => true },
  mutation: {
    add: async ({ number }) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      counts.mutations += 1;
      return number;
    },
  },
  subscription: { ticks },
};
const schema = buildSchema(
  'type Query { ok: Boolean } type Mutation { add(number: Int!): Int } type Subscription { ticks: Float }',
);
useServer({ schema, roots }, server);

process.on('message', () => process.send({ ...counts, clients: server.clients.size }));
process.on('disconnect', () => process.exit(0));
http.listen(0, '127.0.0.1', () => process.send({ port: http.address().port }));
