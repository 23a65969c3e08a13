// A small application with a single writer: it numbers invoices without a gap, and keeps the last number in memory. Two
// processes that write at the same time would give out a number twice.
//
//   node backend.js --side source --port 8081 --database invoices.db
const { createServer } = require('node:http');
const { json, text } = require('node:stream/consumers');
const { DatabaseSync } = require('node:sqlite');
const { parseArgs } = require('node:util');

const {
  side,
  port,
  database: file,
} = parseArgs({
  options: {
    side: { type: 'string', default: 'source' },
    port: { type: 'string', default: '0' },
    database: { type: 'string', default: 'invoices.db' },
  },
}).values;

const database = new DatabaseSync(file, { timeout: 5000 });
database.exec(`
  CREATE TABLE IF NOT EXISTS invoices (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, side TEXT NOT NULL, epoch INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS fence (epoch INTEGER NOT NULL) STRICT;
  INSERT INTO fence SELECT 0 WHERE NOT EXISTS (SELECT * FROM fence);
  -- Which side is frozen, and the epoch of the hook's last call. A process that starts again is still frozen.
  CREATE TABLE IF NOT EXISTS hook (side TEXT PRIMARY KEY, epoch INTEGER NOT NULL, isFrozen INTEGER NOT NULL) STRICT;
`);
const raiseFence = database.prepare('UPDATE fence SET epoch = ? WHERE epoch <= ?');
const readLast = database.prepare('SELECT coalesce(max(number), 0) AS number FROM invoices');
const insert = database.prepare('INSERT INTO invoices (number, id, side, epoch) VALUES (?, ?, ?, ?)');
const readHook = database.prepare('SELECT epoch, isFrozen FROM hook WHERE side = ?');
const writeHook = database.prepare('INSERT OR REPLACE INTO hook (side, epoch, isFrozen) VALUES (?, ?, ?)');

/** What this process knows of the store, as of an epoch. */
let known = { epoch: -1, last: 0 };

/** @returns the number of the invoice; undefined for a request of a side that is not the writer any more */
function write(id, epoch) {
  // The two lines. In one transaction with the write, so that nothing comes between.
  const { changes } = raiseFence.run(epoch, epoch);
  if (changes === 0) return undefined;

  // A new epoch: the other side may have written since.
  if (epoch !== known.epoch) known = { epoch, last: readLast.get().number };
  insert.run(known.last + 1, id, side, epoch);
  known.last += 1;
  return known.last;
}

/** A write that began before has ended when a freeze responds: only one transaction writes at a time. */
function isFrozen() {
  return readHook.get(side)?.isFrozen === 1;
}

/** What a switch calls before its decision (freeze) and after it (thaw). Calls may arrive late or twice. */
function callHook(isFreeze, { epoch }) {
  if (!Number.isInteger(epoch)) return { status: 400, body: { ok: false, why: `no epoch, got ${epoch}` } };
  const last = readHook.get(side) ?? { epoch: 0, isFrozen: 0 };
  // Within an epoch a thaw comes after a freeze.
  const isLate = epoch < last.epoch || (epoch === last.epoch && isFreeze && last.isFrozen === 0);
  if (isLate) return { status: 200, body: { ok: false, why: `the ${side} had a call of epoch ${last.epoch} before` } };
  writeHook.run(side, epoch, isFreeze ? 1 : 0);
  return { status: 200, body: { ok: true, epoch } };
}

/** The probe write: what a write would get. It writes nothing. */
function probe() {
  return isFrozen() ? FROZEN : { status: 200, body: { side } };
}

const FROZEN = { status: 423, body: { side, error: 'frozen by a switch' } };
const HOOKS = {
  '/internal/freeze': (call) => callHook(true, call),
  '/internal/thaw': (call) => callHook(false, call),
  '/internal/probe-write': probe,
};

async function respondToHook(request, run) {
  // The proxy adds this header to each request of a client. Its own calls have none.
  if (request.headers['x-forwarded-for'] !== undefined) return { status: 403, body: { error: 'not for clients' } };
  if (request.method === 'OPTIONS') return { status: 204 };
  const body = await text(request);
  const call = body === '' ? {} : JSON.parse(body);
  return inTransaction(() => run(call));
}

function inTransaction(work) {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

async function respond(request) {
  const run = HOOKS[request.url];
  if (run) return respondToHook(request, run);
  if (request.method === 'GET') return { status: 200, body: { side, invoices: readLast.get().number } };
  const { id } = await json(request);
  // Without the proxies there is no epoch: such a request is of before the first switch.
  const epoch = Number(request.headers['x-drainshift-epoch'] ?? 0);
  return inTransaction(() => {
    if (isFrozen()) return FROZEN;
    const number = write(id, epoch);
    if (number !== undefined) return { status: 201, body: { side, id, number } };
    return { status: 409, body: { side, id, error: `a later epoch than ${epoch} has written` } };
  });
}

const server = createServer((request, response) => {
  respond(request)
    .catch((error) => ({ status: 500, body: { side, error: String(error) } }))
    .then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body && JSON.stringify(body));
    });
});
server.listen(Number(port), '127.0.0.1', () => console.log(`${side} listens on ${server.address().port}`));
