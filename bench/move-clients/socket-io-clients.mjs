// Unmodified clients of socket.io that count for themselves: node socket-io-clients.mjs PORT COUNT
import { io } from 'socket.io-client';

const [, , port, count] = process.argv;
const SAY_MS = 1_000;
const clients = [];

function connect() {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true, reconnection: false });
  const client = { socket, ids: new Set(), disconnects: 0, news: [], said: [], saved: [], says: 0, saves: 0 };
  socket.on('connect', () => client.ids.add(socket.id));
  socket.on('disconnect', () => (client.disconnects += 1));
  socket.on('news', (number) => client.news.push(number));
  socket.on('said', (number) => client.said.push(number));
  clients.push(client);
}

function talk(client) {
  client.socket.emit('say', (client.says += 1));
  if (client.says % 5 > 0) return;
  client.saves += 1;
  client.socket.emit('save', client.saves, (number) => client.saved.push(number));
}

let timers = [];
function begin() {
  timers = clients.map((client, index) => {
    const first = setTimeout(
      () => {
        talk(client);
        client.timer = setInterval(() => talk(client), SAY_MS);
      },
      (index / clients.length) * SAY_MS,
    );
    return first;
  });
}

function end() {
  timers.forEach(clearTimeout);
  for (const { timer } of clients) clearInterval(timer);
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const doubles = (numbers) => numbers.length - new Set(numbers).size;
const isSorted = (numbers) => numbers.every((number, index) => index === 0 || numbers[index - 1] <= number);

/** Of broadcasts a client knows the first that it had: those before are not for it. */
function gaps(numbers, from = Math.min(...numbers)) {
  return numbers.length === 0 ? 0 : Math.max(...numbers) - from + 1 - new Set(numbers).size;
}

function report() {
  return {
    clients: clients.length,
    connected: clients.filter(({ socket }) => socket.connected).length,
    disconnects: sum(clients.map(({ disconnects }) => disconnects)),
    otherIds: clients.filter(({ ids }) => ids.size !== 1).length,
    own: {
      sent: sum(clients.map(({ says }) => says)),
      missing: sum(clients.map(({ says, said }) => says - new Set(said).size)),
      doubled: sum(clients.map(({ said }) => doubles(said))),
      outOfOrder: clients.filter(({ said }) => !isSorted(said)).length,
    },
    acks: {
      sent: sum(clients.map(({ saves }) => saves)),
      missing: sum(clients.map(({ saves, saved }) => saves - new Set(saved).size)),
      doubled: sum(clients.map(({ saved }) => doubles(saved))),
    },
    broadcasts: {
      received: sum(clients.map(({ news }) => news.length)),
      missing: sum(clients.map(({ news }) => gaps(news))),
      doubled: sum(clients.map(({ news }) => doubles(news))),
    },
  };
}

process.on('message', (order) => {
  if (order === 'end') end();
  if (order === 'begin') begin();
  process.send(report());
});
process.on('disconnect', () => process.exit(0));
for (let index = 0; index < Number(count); index += 1) connect();
const look = setInterval(() => {
  if (!clients.every(({ socket, news }) => socket.connected && news.length > 0)) return;
  clearInterval(look);
  process.send({ ready: true });
}, 50);
