import { crc32 } from 'node:zlib';
import { HOST, pause } from '../../processes/ports';
import type { ClientSetup } from './client';
import { ClientConnection, findOutcome, type Reply } from './connection';
import { FAULT_NAMES, FAULTS, formatPath, buildPattern, type Outcome } from '../account/faults';

export const SIZES = [0, 1, 13, 1000, 16_384, 65_536, 200_000];
const LARGE = 2 * 1024 * 1024;
const FAULT_SHARE = 0.15;
/** Far more events than a drain waits for. */
const ENDLESS = 1_000_000;

/** Requests one after the other on a connection; some of them meet a fault of the upstream. */
export async function getInTurn(cloud: ClientSetup): Promise<void> {
  const { chance } = cloud;
  const connection = new ClientConnection(cloud.door);
  for (let left = chance.between(1, 20); left > 0 && cloud.goesOn() && !connection.isOver; left -= 1) {
    const isGoing = await (chance.share() < FAULT_SHARE ? getFault(cloud, connection) : getOne(cloud, connection));
    if (!isGoing) break;
    await pause(chance.between(0, 10));
  }
  connection.close();
}

/** @returns whether the connection can be used again */
async function getOne(cloud: ClientSetup, connection: ClientConnection): Promise<boolean> {
  const [id, bytes] = [cloud.nextId(), cloud.chance.of(SIZES)];
  return ask(cloud, connection, 'GET', getText(formatPath.get(id, bytes)), ['right'], isPattern(id, bytes));
}

async function getFault(cloud: ClientSetup, connection: ClientConnection): Promise<boolean> {
  const [id, bytes] = [cloud.nextId(), cloud.chance.between(100, 40_000)];
  const fault = cloud.chance.of(FAULT_NAMES);
  const request = getText(formatPath.fault(fault, id, bytes));
  return ask(cloud, connection, `GET with fault '${fault}'`, request, FAULTS[fault].allowed, isPattern(id, bytes));
}

async function ask(
  { account }: ClientSetup,
  connection: ClientConnection,
  what: string,
  request: string | Buffer,
  allowed: readonly Outcome[],
  isRight: (reply: Reply) => boolean,
): Promise<boolean> {
  const sentMs = performance.now();
  connection.send(request);
  const responded = await connection.respond();
  account.settle(what, findOutcome(responded, isRight), allowed, sentMs);
  return 'reply' in responded && !responded.reply.closes;
}

/** Several requests in one write: every response must come, in order. */
export async function getPipelined(cloud: ClientSetup): Promise<void> {
  const { account, chance, door, goaway } = cloud;
  const asked = Array.from({ length: chance.between(2, 8) }, () => ({ id: cloud.nextId(), bytes: chance.of(SIZES) }));
  const connection = new ClientConnection(door);
  const sentMs = performance.now();
  connection.send(asked.map(({ id, bytes }) => getText(formatPath.get(id, bytes))).join(''));
  for (const { id, bytes } of asked) {
    const outcome = findOutcome(await connection.respond(), isPattern(id, bytes));
    account.settle('pipelined GET', outcome, ['right', ...goaway], sentMs);
  }
  connection.close();
}

/** A client that asks for the end of the connection, or does not know of anything else. */
export async function getOnce(cloud: ClientSetup): Promise<void> {
  const [id, bytes] = [cloud.nextId(), cloud.chance.of(SIZES)];
  const path = formatPath.get(id, bytes);
  const isOld = cloud.chance.share() < 0.5;
  const request = isOld ? `GET ${path} HTTP/1.0\r\nHost: ${HOST}\r\n\r\n` : getText(path, 'Connection: close\r\n');
  const connection = new ClientConnection(cloud.door);
  await ask(cloud, connection, isOld ? 'GET in HTTP/1.0' : 'GET with close', request, ['right'], isPattern(id, bytes));
  connection.close();
}

/** Reads a large response with pauses, so that it piles up on its way. */
export async function readSlowly(cloud: ClientSetup): Promise<void> {
  const id = cloud.nextId();
  const connection = new ClientConnection(cloud.door);
  const { socket } = connection;
  let isDone = false;
  const done = ask(
    cloud,
    connection,
    'GET read slowly',
    getText(formatPath.get(id, LARGE)),
    ['right'],
    isPattern(id, LARGE),
  );
  void done.then(() => (isDone = true));
  for (let left = cloud.chance.between(5, 20); left > 0 && !isDone; left -= 1) {
    socket.pause();
    await pause(100);
    socket.resume();
    await pause(2);
  }
  await done;
  connection.close();
}

/** POSTs with a length or in chunks, at once or in drips; the upstream says what arrived. */
export async function post(cloud: ClientSetup): Promise<void> {
  const { chance } = cloud;
  const isChunked = chance.share() < 0.5;
  const body = buildPattern(cloud.nextId(), chance.of(SIZES));
  const drips = chance.share() < 0.3 ? chance.between(2, 10) : 1;
  const connection = new ClientConnection(cloud.door);
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
  const what = `POST ${isChunked ? 'in chunks' : 'with a length'}${drips > 1 ? ', slowly' : ''}`;
  const head = `POST ${formatPath.post()} HTTP/1.1\r\nHost: ${HOST}\r\n${framing}\r\n\r\n`;
  const isRight = ({ text }: Reply) => text === `${body.length}:${crc32(body)}`;
  const done = ask(cloud, connection, what, head, ['right'], isRight);
  const step = Math.max(1, Math.ceil(body.length / drips));
  for (let from = 0; from < body.length && !connection.isOver; from += step) {
    const part = body.subarray(from, from + step);
    connection.send(isChunked ? chunk(part) : part);
    if (drips > 1) await pause(20);
  }
  if (isChunked) connection.send('0\r\n\r\n');
  await done;
  connection.close();
}

/** Server-sent events up to the stream's end: none may be missing. */
export async function readEvents(cloud: ClientSetup): Promise<void> {
  const [id, count] = [cloud.nextId(), cloud.chance.between(3, 60)];
  const connection = new ClientConnection(cloud.door);
  const expected = listEvents(id, count);
  const request = getText(formatPath.events(count, id), 'Accept: text/event-stream\r\n');
  await ask(cloud, connection, 'event stream', request, ['right'], ({ text }) => text === expected);
  connection.close();
}

/** Events without an end, until the proxy ends them, as a drain does: after a whole one, and with a time to come back. */
export async function readEventsUntilSentAway(cloud: ClientSetup): Promise<void> {
  const id = cloud.nextId();
  const connection = new ClientConnection(cloud.door);
  const request = getText(formatPath.events(ENDLESS, id), 'Accept: text/event-stream\r\n');
  const isRight = ({ text }: Reply) => {
    const count = text.split('data: ').length - 1;
    return count > 0 && text.replace(/retry: \d+\n\n$/, '') === listEvents(id, count);
  };
  await ask(cloud, connection, 'event stream sent away', request, ['right'], isRight);
  connection.close();
}

function listEvents(id: number, count: number): string {
  return Array.from({ length: count }, (_, index) => `data: ${id} ${index}\n\n`).join('');
}

export function getText(path: string, fields = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n${fields}\r\n`;
}

export function isPattern(id: number, bytes: number): (reply: Reply) => boolean {
  return ({ length, sum }) => length === bytes && sum === crc32(buildPattern(id, bytes));
}

function chunk(part: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
}
