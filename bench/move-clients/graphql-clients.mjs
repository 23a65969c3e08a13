// Unmodified clients of graphql-ws that count for themselves: node graphql-clients.mjs PORT COUNT
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

const [, , port, count] = process.argv;
const CALL_MS = 1_000;
const clients = [];

function connect() {
  const client = { closes: 0, ticks: 0, lastMs: 0, longestMs: 0, errors: 0, completes: 0, sent: 0, results: [] };
  client.connection = createClient({
    url: `ws://127.0.0.1:${port}/graphql`,
    webSocketImpl: WebSocket,
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: () => undefined,
    on: { closed: () => (client.closes += 1) },
  });
  client.connection.subscribe(
    { query: 'subscription { ticks }' },
    {
      next: () => {
        const nowMs = performance.now();
        if (client.ticks > 0) client.longestMs = Math.max(client.longestMs, nowMs - client.lastMs);
        client.lastMs = nowMs;
        client.ticks += 1;
      },
      error: () => (client.errors += 1),
      complete: () => (client.completes += 1),
    },
  );
  clients.push(client);
}

function call(client) {
  const number = (client.sent += 1);
  client.connection.subscribe(
    { query: 'mutation Add($number: Int!) { add(number: $number) }', variables: { number } },
    {
      next: ({ data }) => client.results.push(data.add),
      error: () => (client.errors += 1),
      complete: () => undefined,
    },
  );
}

let timers = [];
function begin() {
  timers = clients.map((client) => setInterval(() => call(client), CALL_MS * (0.9 + Math.random() / 5)));
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

function report() {
  return {
    clients: clients.length,
    closes: sum(clients.map(({ closes }) => closes)),
    subscriptions: {
      ended: sum(clients.map(({ completes, errors }) => completes + errors)),
      silent: clients.filter(({ lastMs }) => performance.now() - lastMs > 2_000).length,
      longestSilenceMs: Math.round(Math.max(...clients.map(({ longestMs }) => longestMs))),
    },
    mutations: {
      sent: sum(clients.map(({ sent }) => sent)),
      missing: sum(clients.map(({ sent, results }) => sent - new Set(results).size)),
      doubled: sum(clients.map(({ results }) => results.length - new Set(results).size)),
    },
  };
}

process.on('message', (order) => {
  if (order === 'begin') begin();
  if (order === 'end') timers.forEach(clearInterval);
  process.send(report());
});
process.on('disconnect', () => process.exit(0));
for (let index = 0; index < Number(count); index += 1) connect();
const look = setInterval(() => {
  if (!clients.every(({ ticks }) => ticks > 0)) return;
  clearInterval(look);
  process.send({ ready: true });
}, 50);
