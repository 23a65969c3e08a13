import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parse } from 'protobufjs';
import { formatExportLine } from '../../../core/capture/export-line';
import { Command } from '../../rehearsal/command';
import { Backend, respondAfter, startBackend } from '../../replay/recording-backend';
import { MadeExchange, at as seenAt, close, eom, ok, part, partsOf, put, read, write } from '../../support/recorded';

let folder: string;
let backend: Backend | undefined;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'replay-command-'))));
afterEach(async () => {
  await backend?.close();
  backend = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);
const run = (...args: string[]) => new Command(args, { cwd: folder }).ended;

/** So many writes of ten clients, a millisecond apart. */
function makeCapture(count: number, change: (n: number) => Partial<MadeExchange> = () => ({})): string {
  const exchanges = Array.from({ length: count }, (_, n): MadeExchange => ({
    ...{ connection: `c${n % 10}`, n: Math.floor(n / 10), startMs: n * 1, endMs: n * 1 + 0.5 },
    ...{ request: put(`/items/${n}`, `{"n":${n}}`), response: ok(`{"n":${n}}`), ...change(n) },
  }));
  const path = at('capture.proto.gz');
  writeFileSync(path, gzipSync(partsOf(exchanges).map(formatExportLine).join('')));
  return path;
}

/** The field numbers of the neighbour's schema, for a decoder that shares no code with ours. */
const stream = parse(`syntax = "proto3";
message Data { bytes data = 1; }
message Observation { oneof Capture { Data read = 4; Data write = 8; } }
message TrafficStream { string connectionId = 1; repeated Observation subStream = 2; oneof index { int32 number = 3; int32 last = 4; } }
`).root.lookupType('TrafficStream');

test('a capture is shown, and exported so that another decoder reads the same', async () => {
  const from = makeCapture(30);
  const shown = await run('capture', 'show', '--from', from);
  expect(shown.code).toBe(0);
  expect(shown.output.split('\n').filter((line) => line.includes('PUT'))).toHaveLength(30);
  expect(shown.output).toContain(
    '2026-09-21T14:13:20.007Z  c7.0  PUT /items/7 HTTP/1.1  65 bytes →  200 45 bytes, 0.5 ms',
  );
  const json = await run('capture', 'show', '--from', from, '--json', '--to-time', '2026-09-21T14:13:20.003Z');
  expect(JSON.parse(json.output.split('\n')[3]!)).toEqual({
    ...{ id: 'c3.0', at: '2026-09-21T14:13:20.003Z', request: 'PUT /items/3 HTTP/1.1', requestBytes: 65 },
    ...{ status: 200, responseBytes: 45, milliseconds: 0.5 },
  });
  const exported = await run('capture', 'export', '--from', from, '--to', at('out.proto.gz'));
  expect([exported.code, exported.output]).toEqual([
    0,
    expect.stringMatching(/^60 records in .*out\.proto\.gz, sha256 [0-9a-f]{64}\n$/),
  ]);
  const lines = gunzipSync(readFileSync(at('out.proto.gz')))
    .toString()
    .trimEnd()
    .split('\n');
  const decoded = lines.map((line) => {
    const [key, base64 = ''] = line.split('|');
    const read = stream.toObject(stream.decode(Buffer.from(base64, 'base64'))) as {
      connectionId: string;
      subStream: { read?: { data: Buffer } }[];
    };
    expect(read.connectionId).toBe(key);
    return Buffer.from(read.subStream[0]?.read?.data ?? []).toString();
  });
  expect(decoded.filter((text) => text !== '')).toEqual(
    Array.from({ length: 30 }, (_, n) => put(`/items/${n}`, `{"n":${n}}`)),
  );
});

test('messages of a WebSocket are shown when they are asked for, and no replay sends them', async () => {
  backend = await startBackend((_, response) => respondAfter(response, 0, 'ok'));
  const rest = { connectionId: 'n.1', nodeId: 'n' };
  const frame = (head: string, text: string) => `${head}${String.fromCharCode(text.length)}${text}`;
  const [mark, dropped] = [read(3, ''), seenAt(3, { kind: 'dropped' })];
  const masked = '\x81\x85\0\0\0\0hello';
  const handshake = 'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
  const parts = [
    part(0, [read(0, handshake), eom(0), write(1, 'HTTP/1.1 101 Switching Protocols\r\n\r\n')], rest),
    part(1, [mark, dropped, read(3, masked), dropped], { ...rest, priorRequests: 1 }),
    // Its connection was silent for so long that all that was known of it is forgotten.
    part(2, [mark, dropped, write(200_000, frame('\x82', 'bytes'))], { ...rest, priorRequests: 1 }),
    part(3, [mark, dropped, write(200_001, '\x88\x05\x03\xe8bye'), close(200_001)], { ...rest, isLast: true }),
  ];
  writeFileSync(at('capture.proto.gz'), gzipSync(parts.map(formatExportLine).join('')));
  const show = (...args: string[]) => run('capture', 'show', '--from', at('capture.proto.gz'), ...args);
  expect((await show()).output).toContain('4 records, 3 messages of WebSockets; --websockets prints them\n');
  const shown = (await show('--websockets')).output;
  expect(shown).toContain('2026-09-21T14:13:20.003Z  n.1  → text  5 bytes  hello\n');
  expect(shown).toContain('n.1  ← binary  5 bytes\n');
  expect(shown).toContain('n.1  ← close  5 bytes  1000 bye\n');
  const json = (await show('--websockets', '--json')).output.split('\n').filter((line) => line.includes('"binary"'));
  expect(JSON.parse(json[0]!)).toMatchObject({ from: 'backend', bytes: 5, base64: 'Ynl0ZXM=' });
  const replay = ['replay', '--from', at('capture.proto.gz'), '--to', backend.url.href, '--speed', 'max'];
  const { code, output } = await run(...replay);
  expect([code, backend.arrivals]).toEqual([0, []]);
  expect(output).toMatch(/0 sent, .* 0 parked, 1 skipped, in .*\nof the capture: 3 messages of WebSockets left out\n/);
});

test('a replay sends all, writes tuples and a comparison, and says so', async () => {
  backend = await startBackend((arrival, response) => {
    response.setHeader('content-type', 'application/json');
    return respondAfter(response, 0, arrival.url === '/v2/items/3' ? '{"n":4}' : arrival.body);
  });
  const json = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"n":3}';
  const from = makeCapture(10, (n) => (n === 3 ? { response: json } : {}));
  writeFileSync(
    at('transform.mjs'),
    "export default (r) => r.path.endsWith('/5') ? undefined : { ...r, headers: [...r.headers, ['x-of', r.id]] };",
  );
  const { code, output } = await run(
    ...[
      'replay',
      '--from',
      from,
      '--to',
      `${backend.url.href}v2`,
      '--speed',
      'max',
      '--json',
      '--set-header',
      'Authorization: Bearer t',
    ],
    ...[
      '--transform',
      at('transform.mjs'),
      '--tuples',
      at('tuples.gz'),
      '--compare',
      at('compare.json'),
      '--methods',
      'PUT,GET',
    ],
  );
  const summary = JSON.parse(output) as Record<string, unknown>;
  expect(summary).toMatchObject({
    outcome: 'done',
    sent: 9,
    parked: 0,
    skipped: 1,
    failed: 0,
    verdict: 'inconclusive',
  });
  expect(code).toBe(7);
  expect(backend.arrivals.map(({ url }) => url).sort()[0]).toBe('/v2/items/0');
  expect(backend.arrivals[0]!.headers).toMatchObject({ authorization: 'Bearer t', 'x-of': backend.arrivals[0]!.id });
  const tuples = gunzipSync(readFileSync(at('tuples.gz')))
    .toString()
    .trimEnd()
    .split('\n');
  const tuple = tuples
    .map((line) => JSON.parse(line) as { connectionId: string })
    .find(({ connectionId }) => connectionId === 'c3.0');
  expect(tuple).toMatchObject({
    sourceRequest: {
      'Request-URI': '/items/3',
      Method: 'PUT',
      'HTTP-Version': 'HTTP/1.1',
      Host: 'source',
      payload: { inlinedTextBody: '{"n":3}' },
    },
    sourceResponse: {
      'Status-Code': 200,
      'Reason-Phrase': 'OK',
      response_time_ms: 1,
      payload: { inlinedJsonBody: { n: 3 } },
    },
    targetRequest: { 'Request-URI': '/v2/items/3', Host: backend.url.host },
    targetResponses: [{ 'Status-Code': 200, payload: { inlinedJsonBody: { n: 4 } } }],
    numRequests: 1,
    numErrors: 0,
  });
  const compared = JSON.parse(readFileSync(at('compare.json'), 'utf8')) as { comparisons: number; differ: number };
  expect(compared.comparisons).toBe(9);
});

test('a replay that is killed goes on from its checkpoint: all is sent, little of it twice, in order', async () => {
  let isKilled = false;
  // The first one cannot end before it is killed, however late that is.
  backend = await startBackend((_, response, count) => {
    if (isKilled || count < 1_000) void respondAfter(response, 1);
  });
  const target = backend;
  const from = makeCapture(4_000);
  const args = [
    'replay',
    '--from',
    from,
    '--to',
    target.url.href,
    '--speed',
    'max',
    '--connections',
    '8',
    '--checkpoint',
    at('checkpoint'),
  ];
  const first = new Command(args, { cwd: folder });
  const hasFinished = () => existsSync(at('checkpoint')) && readFileSync(at('checkpoint'), 'utf8').includes('c1.5"');
  while (!hasFinished()) await pause(20);
  first.signal('SIGKILL');
  await first.ended;
  isKilled = true;
  const before = target.arrivals.length;
  expect(before).toBeLessThan(4_000);
  const second = await run(...args, '--json');
  expect([second.code, JSON.parse(second.output.slice(second.output.indexOf('{')))]).toEqual([
    0,
    expect.objectContaining({ outcome: 'done', parked: 0 }),
  ]);
  expect(new Set(target.arrivals.map(({ id }) => id)).size).toBe(4_000);
  expect(target.arrivals.length - 4_000).toBeLessThan(before);
  // Within a connection none was sent before those in front of it had ended once.
  const reached = new Map<string, number>();
  for (const { id } of target.arrivals) {
    const [connection = '', n = ''] = id.split('.');
    const next = reached.get(connection) ?? 0;
    expect(Number(n)).toBeLessThanOrEqual(next);
    reached.set(connection, Math.max(next, Number(n) + 1));
  }
  const third = await run(...args, '--json');
  expect(JSON.parse(third.output.slice(third.output.indexOf('{')))).toMatchObject({ outcome: 'done', sent: 0 });
  const other = await run(...args, '--to', 'http://127.0.0.1:9');
  expect([other.code, other.output]).toEqual([
    1,
    expect.stringContaining(`must be of a replay from '${from}' to 'http://127.0.0.1:9/'`),
  ]);
});

test('Ctrl-C ends it in order, and says from where to go on', async () => {
  backend = await startBackend((_, response) => respondAfter(response, 5));
  const target = backend;
  const from = makeCapture(2_000);
  const args = [
    'replay',
    '--from',
    from,
    '--to',
    target.url.href,
    '--speed',
    'max',
    '--connections',
    '4',
    '--window',
    '0ms',
  ];
  const command = new Command(args, { cwd: folder });
  while (target.arrivals.length < 100) await pause(5);
  command.signal('SIGINT');
  const { code, output } = await command.ended;
  expect(code).toBe(7);
  const [, time = ''] = /stopped: \d+ sent, .*\nto go on: --from-time (\S+)\n$/s.exec(output) ?? [];
  expect(target.arrivals.every(({ endMs }) => endMs < Infinity)).toBe(true);
  const again = await run(...args, '--from-time', time);
  expect(again.code).toBe(0);
  expect(new Set(target.arrivals.map(({ id }) => id)).size).toBe(2_000);
});

test('metrics are a line of JSON each minute and at the end, and the value of a header may be in the environment', async () => {
  backend = await startBackend((_, response) => respondAfter(response, 0));
  process.env.TOKEN_OF_TEST = 'Bearer secret';
  const args = ['replay', '--from', makeCapture(3), '--to', backend.url.href, '--speed', 'max'];
  const { code, output } = await run(
    ...[...args, '--metrics', 'Shop-Replay', '--set-header-from', 'Authorization=TOKEN_OF_TEST'],
  );
  delete process.env.TOKEN_OF_TEST;
  const line = output.split('\n').find((each) => each.startsWith('{"_aws"')) ?? '';
  expect([code, JSON.parse(line)]).toEqual([
    0,
    expect.objectContaining({ Service: 'Shop-Replay', ReplaySent: 3, ReplayParked: 0 }),
  ]);
  expect(backend.arrivals[0]!.headers.authorization).toBe('Bearer secret');
  const unset = await run(...args, '--set-header-from', 'Authorization=NO_SUCH_VARIABLE');
  expect([unset.code, unset.output]).toEqual([
    64,
    expect.stringContaining("must name a variable that is set, got 'NO_SUCH_VARIABLE'"),
  ]);
});

test('what fails is parked in a file, from which it is sent again', async () => {
  let isBroken = true;
  backend = await startBackend((arrival, response) => {
    if (isBroken && arrival.url === '/items/5') response.statusCode = 503;
    return respondAfter(response, 0);
  });
  const from = makeCapture(20);
  const { code, output } = await run(
    'replay',
    '--from',
    from,
    '--to',
    backend.url.href,
    '--attempts',
    '2',
    '--parked',
    at('parked.jsonl'),
  );
  expect([code, output]).toEqual([1, expect.stringContaining('19 sent, 2 failed attempts, 1 parked')]);
  const { record, ...line } = JSON.parse(readFileSync(at('parked.jsonl'), 'utf8')) as { record: string };
  expect(line).toMatchObject({ id: 'c5.0', problem: '2 attempts failed, the last one with status 503' });
  isBroken = false;
  writeFileSync(at('again.proto.gz'), gzipSync(`${record}\n`));
  const again = await run('replay', '--from', at('again.proto.gz'), '--to', backend.url.href);
  expect(again.code).toBe(0);
  expect(backend.arrivals.at(-1)).toMatchObject({ id: 'c5.0', body: '{"n":5}' });
});

test('bad input is one line, and what was before it is sent', async () => {
  backend = await startBackend((_, response) => respondAfter(response, 0));
  const good = gunzipSync(readFileSync(makeCapture(5))).toString();
  writeFileSync(at('bad'), `${good}c|?\n`);
  const args = ['replay', '--to', backend.url.href, '--speed', 'max', '--from'];
  const bad = await run(...args, at('bad'));
  expect([bad.code, bad.output]).toEqual([
    1,
    expect.stringMatching(
      /^drainshift: '.*\/bad', line 11: a record must be .*got "c\|\?"\nfailed: 5 sent, .*\nto go on: --from-time /,
    ),
  ]);
  const skipped = await run(...args, at('bad'), '--skip-damaged');
  expect([skipped.code, skipped.output]).toEqual([0, expect.stringMatching(/^drainshift: skipped: '.*line 11/)]);
  const missing = await run(...args, at('none'));
  expect([missing.code, missing.output]).toEqual([
    1,
    `drainshift: '${at('none')}' must be a capture file or a folder of them that can be read, got ENOENT\n`,
  ]);
  const wrong: readonly (readonly [args: string[], message: string])[] = [
    [['--key', '/carts/key'], "must be 'connection', 'all', a path with {key}"],
    [['--speed', '0'], 'must be a number from 0.01 to 1000, or max'],
    [['--from-time', 'yesterday'], 'must be a time such as 2026-11-30T17:00:00Z'],
    [['--path', 'a=b'], 'must be /FROM=/TO'],
    [['--sigv4', 'es'], 'must be SERVICE/REGION'],
    [['--repeat-on', 'http://a'], "'--repeat-on' must stand beside '--compare'"],
  ];
  for (const [flags, message] of wrong) {
    const ended = await run(...args, at('bad'), ...flags);
    expect([ended.code, ended.output]).toEqual([64, expect.stringContaining(message)]);
  }
  const transform = await run(...args, at('bad'), '--transform', at('none.mjs'));
  expect([transform.code, transform.output]).toEqual([
    1,
    expect.stringContaining("'--transform' must be a module that can be loaded"),
  ]);
});

test('a comparison knows noise by the source, finds what is not noise, and decides the exit code', async () => {
  const json = (value: object) => JSON.stringify(value);
  const item = (n: number) => ({ n, price: n * 2, id: Math.random() });
  const respond = (change: (n: number) => object) =>
    startBackend((arrival, response) => {
      response.setHeader('content-type', 'application/json');
      return respondAfter(response, 0, json(change(Number(arrival.url.split('/').at(-1)))));
    });
  const source = await respond(item);
  backend = await respond((n) => ({ ...item(n), price: n % 4 === 0 ? 0 : n * 2 }));
  const recorded = (n: number) => {
    const body = json(item(n));
    return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  };
  const from = makeCapture(600, (n) => ({
    request: `GET /items/${n} HTTP/1.1\r\nHost: source\r\n\r\n`,
    response: recorded(n),
  }));
  const { code, output } = await run(
    ...[
      'replay',
      '--from',
      from,
      '--to',
      backend.url.href,
      '--speed',
      'max',
      '--compare',
      at('compare.html'),
      '--repeat-on',
      source.url.href,
    ],
    ...['--repeat-share', '0.5', '--ignore', 'header.*'],
  );
  await source.close();
  expect(source.arrivals.length).toBeGreaterThan(50);
  expect(output).toMatch(/comparison: roll back\n.*body\.price/s);
  expect(output).not.toContain('body.id');
  expect(code).toBe(1);
  expect(readFileSync(at('compare.html'), 'utf8')).toContain('body.price');
});

test.each(['--compare', '--tuples', '--parked'])(
  '%s in a folder that is not there is wrong before anything is sent',
  async (flag) => {
    backend = await startBackend((_, response) => respondAfter(response, 0));
    const ended = await run('replay', '--from', makeCapture(1), '--to', backend.url.href, flag, at('nowhere/file'));
    expect(ended).toMatchObject({
      code: 1,
      output: `drainshift: '${flag}' must be writable, got '${at('nowhere/file')}' (ENOENT)\n`,
    });
    expect(backend.arrivals).toEqual([]);
  },
);

test('what differs cannot be written at the end: the summary says what was done, and that it failed', async () => {
  backend = await startBackend((_, response) => respondAfter(response, 0));
  const ended = await run('replay', '--from', makeCapture(1), '--to', backend.url.href, '--compare', '/dev/full');
  expect(ended.code).toBe(1);
  expect(ended.output).toContain("'--compare' must be writable, got '/dev/full' (ENOSPC)");
  expect(ended.output).toContain('failed: 1 sent');
});

test('a request that cannot be parked ends the replay, by its name', async () => {
  backend = await startBackend((_, response) => void response.writeHead(503).end());
  const ended = await run(
    ...['replay', '--from', makeCapture(1), '--to', backend.url.href, '--attempts', '1', '--parked', '/dev/full'],
  );
  expect(ended.code).toBe(1);
  expect(ended.output).toMatch(/'\/dev\/full' must be writable, got Error: ENOSPC: .*; 'c0.0' is not parked/);
});
