// A small application with a single writer: it numbers invoices without a gap, and keeps the last number in memory. Two
// processes that write at the same time would give out a number twice.
//
//   node backend.js --side source --port 8081 --database invoices.db
const { createServer } = require('node:http');
const { json } = require('node:stream/consumers');
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
`);
const raiseFence = database.prepare('UPDATE fence SET epoch = ? WHERE epoch <= ?');
const readLast = database.prepare('SELECT coalesce(max(number), 0) AS number FROM invoices');
const insert = database.prepare('INSERT INTO invoices (number, id, side, epoch) VALUES (?, ?, ?, ?)');

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
  if (request.method === 'GET') return { status: 200, body: { side, invoices: readLast.get().number } };
  const { id } = await json(request);
  // Without the proxies there is no epoch: such a request is of before the first switch.
  const epoch = Number(request.headers['x-drainshift-epoch'] ?? 0);
  const number = inTransaction(() => write(id, epoch));
  if (number !== undefined) return { status: 201, body: { side, id, number } };
  return { status: 409, body: { side, id, error: `a later epoch than ${epoch} has written` } };
}

const server = createServer((request, response) => {
  respond(request)
    .catch((error) => ({ status: 500, body: { side, error: String(error) } }))
    .then(({ status, body }) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
});
server.listen(Number(port), '127.0.0.1', () => console.log(`${side} listens on ${server.address().port}`));
