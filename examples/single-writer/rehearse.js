// Rehearses the switch of app.js with backend.js on both sides, while four clients write invoices. At the end it compares
// their responses with what is in the database.
const { spawn } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { Agent, request } = require('node:https');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { createInterface } = require('node:readline');
const { json } = require('node:stream/consumers');
const { DatabaseSync } = require('node:sqlite');

const CLIENTS = 4;
const folder = mkdtempSync(join(tmpdir(), 'invoices-'));
const file = join(folder, 'invoices.db');
const backends = [];

/** @returns its address, once it listens */
function startBackend(side) {
  const backend = spawn(process.execPath, [join(__dirname, 'backend.js'), '--side', side, '--database', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  backends.push(backend);
  return new Promise((resolve, reject) => {
    backend.once('exit', (code) => reject(new Error(`the ${side} backend must listen, got exit code ${code}`)));
    createInterface(backend.stdout).once('line', (line) => resolve(`http://127.0.0.1:${line.split(' ').pop()}`));
  });
}

/** Writes one invoice after the other, and keeps the responses. */
async function write(client, { address, state }) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let n = 1; !state.isOver; n += 1) {
    const id = `${client}-${n}`;
    const startedMs = performance.now();
    const response = await post(id, { ...address, agent }).catch((error) => ({ status: error.message }));
    state.longestMs = Math.max(state.longestMs, performance.now() - startedMs);
    if (response.status === 201) state.written.set(id, response.body.number);
    else state.failed.push(`${id}: ${response.status} ${JSON.stringify(response.body ?? '')}`);
  }
  agent.destroy();
}

function post(id, { name, port, ca, agent }) {
  return new Promise((resolve, reject) => {
    const headers = { host: name, 'content-type': 'application/json' };
    const options = {
      host: '127.0.0.1',
      port,
      servername: name,
      ca,
      agent,
      method: 'POST',
      path: '/invoices',
      headers,
    };
    const asked = request(options, (response) => {
      json(response).then((body) => resolve({ status: response.statusCode, body }), reject);
    });
    asked.once('error', reject);
    asked.end(JSON.stringify({ id }));
  });
}

/** Starts the rehearsal, and calls `onReady` with where its load balancer is, and `onEnd` before it goes. */
function rehearse(urls, { onReady, onEnd }) {
  const rehearsal = spawn('drainshift', ['rehearse', '--app', 'cdk.out', ...urls, '--map-port', '443=0'], {
    cwd: __dirname,
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  createInterface(rehearsal.stdout).on('line', (line) => {
    console.log(line);
    const [, caFile, name, port] = /--cacert (\S+) --resolve ([^:]+):(\d+):/.exec(line) ?? [];
    if (caFile) onReady({ name, port, ca: readFileSync(caFile) });
    if (line.includes('waiting until every message has its response')) onEnd();
  });
  return new Promise((resolve, reject) => {
    rehearsal.once('error', reject);
    rehearsal.once('exit', (code) => resolve(code ?? 1));
  });
}

/** @returns whether everything is as it should be */
function judge({ written, failed, longestMs }) {
  const database = new DatabaseSync(file, { readOnly: true });
  const stored = new Map(
    database
      .prepare('SELECT id, number FROM invoices')
      .all()
      .map(({ id, number }) => [id, number]),
  );
  const sides = database
    .prepare('SELECT side, min(number) AS first, max(number) AS last FROM invoices GROUP BY side')
    .all();
  database.close();
  const lost = [...written].filter(([id, number]) => stored.get(id) !== number);
  const { source, target } = Object.fromEntries(sides.map((each) => [each.side, each]));
  const hasOverlap = source !== undefined && target !== undefined && source.last >= target.first;
  const ranges = sides.map(({ side, first, last }) => `the ${side} wrote ${first}–${last}`).join(', ');
  console.log(`
invoices: ${written.size} written, ${failed.length} failed, ${lost.length} lost; ${ranges}; overlap: ${hasOverlap ? 'YES' : 'none'}
          the longest wait of a client was ${Math.round(longestMs)} ms`);
  for (const line of failed.slice(0, 5)) console.log(`  ${line}`);
  return written.size > 0 && failed.length === 0 && lost.length === 0 && !hasOverlap && target !== undefined;
}

async function main() {
  const [source, target] = [await startBackend('source'), await startBackend('target')];
  const state = { isOver: false, written: new Map(), failed: [], longestMs: 0 };
  let clients = [];
  const code = await rehearse(['--source', source, '--target', target], {
    onReady: (address) => {
      clients = Array.from({ length: CLIENTS }, (_, client) => write(client, { address, state }));
    },
    onEnd: () => {
      state.isOver = true;
    },
  });
  state.isOver = true;
  await Promise.all(clients);
  return judge(state) ? code : Math.max(1, code);
}

// Ctrl-C reaches the rehearsal too, which then ends in order.
process.on('SIGINT', () => {});
main()
  .then((code) => {
    process.exitCode = code;
  })
  .finally(() => {
    for (const backend of backends) backend.removeAllListeners('exit').kill();
    rmSync(folder, { recursive: true });
  });
