// One side: three replicas, each a process of its own, and a load balancer in front of them.
//
//   node backend.js --side source --port 8081 --valkey /run/valkey.sock
//
// Where a request goes:
//   1. with the application cookie (StickyStr): to the replica that its hash gives;
//   2. with the load balancer's cookie (Route): to the replica that it names;
//   3. without either: round robin. The response brings the load balancer's cookie.
// Both cookies mean the same replica on the other side, so that they outlive a cutover.
const { fork } = require('node:child_process');
const { createHash } = require('node:crypto');
const { createServer, request: ask } = require('node:http');
const { join } = require('node:path');
const { parseArgs } = require('node:util');

const REPLICAS = 3;
const { values } = parseArgs({
  options: {
    side: { type: 'string', default: 'source' },
    port: { type: 'string', default: '0' },
    valkey: { type: 'string', default: '127.0.0.1:6379' },
  },
});

/** @returns its port, once it listens */
function startReplica(number) {
  const replica = fork(join(__dirname, 'replica.js'), [values.side, String(number), values.valkey]);
  return new Promise((resolve) => {
    replica.once('message', ({ port, why }) => (port ? resolve(port) : end(why)));
    replica.once('exit', (code) => end(`replica ${number} of the ${values.side} must run, got exit code ${code}`));
  });
}

function end(why) {
  console.error(`sticky-sessions: ${why}`);
  process.exit(1);
}

let turn = 0;

/** @returns the number of the replica, from 1, and how it was found */
function choose({ cookie = '' }) {
  const cookies = new Map(cookie.split(/; */).map((pair) => pair.split('=', 2)));
  const application = cookies.get('StickyStr');
  if (application) {
    const hash = createHash('sha256').update(application).digest().readUInt32BE();
    return { number: (hash % REPLICAS) + 1, by: 'application cookie' };
  }
  const route = Number(cookies.get('Route'));
  if (Number.isInteger(route) && route >= 1 && route <= REPLICAS)
    return { number: route, by: "load balancer's cookie" };
  turn = (turn % REPLICAS) + 1;
  return { number: turn, by: 'round robin' };
}

/** What a replica is asked, and what comes before its own fields in the response. */
function route(ports, request) {
  const { number, by } = choose(request.headers);
  const isSecure = request.headers['x-forwarded-proto'] === 'https';
  const cookie = `Route=${number}; Path=/; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
  return {
    options: {
      host: '127.0.0.1',
      port: ports[number - 1],
      method: request.method,
      path: request.url,
      headers: { ...request.headers, 'x-routed-by': by },
    },
    // As raw headers: a name, a value.
    added: by === 'round robin' ? ['Set-Cookie', cookie] : [],
  };
}

function forward(ports, request, response) {
  const { options, added } = route(ports, request);
  const asked = ask(options, (answer) => {
    response.writeHead(answer.statusCode, [...answer.rawHeaders, ...added]);
    answer.pipe(response);
  });
  asked.once('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  response.once('close', () => asked.destroy());
  request.pipe(asked);
}

function forwardUpgrade(ports, request, socket, head) {
  const { options, added } = route(ports, request);
  const asked = ask(options);
  socket.on('error', () => asked.destroy());
  asked.once('error', () => socket.destroy());
  asked.once('response', ({ statusCode }) =>
    socket.end(`HTTP/1.1 ${statusCode} Rejected\r\nContent-Length: 0\r\n\r\n`),
  );
  asked.once('upgrade', (answer, replica, first) => {
    const fields = [...answer.rawHeaders, ...added];
    const lines = fields.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${fields[at + 1]}`] : []));
    socket.write(['HTTP/1.1 101 Switching Protocols', ...lines, '', ''].join('\r\n'));
    socket.write(first);
    replica.write(head);
    replica.on('error', () => socket.destroy());
    socket.once('close', () => replica.destroy());
    replica.once('close', () => socket.destroy());
    replica.pipe(socket).pipe(replica);
  });
  asked.end();
}

async function main() {
  const numbers = Array.from({ length: REPLICAS }, (_, at) => at + 1);
  const ports = await Promise.all(numbers.map(startReplica));
  const server = createServer((request, response) => forward(ports, request, response));
  server.on('upgrade', (request, socket, head) => forwardUpgrade(ports, request, socket, head));
  server.listen(Number(values.port), '127.0.0.1', () => {
    console.log(`the ${values.side} and its ${REPLICAS} replicas listen on ${server.address().port}`);
  });
}

// The replicas end with it.
process.once('SIGTERM', () => process.exit(0));
main();
