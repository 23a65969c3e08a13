import { once } from 'node:events';
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { messageFrame } from '../load/frames';
import { openWebSocket } from '../load/websocket-client';
import { HOST } from '../processes/ports';
import { PATHS } from '../upstream/paths';
import { isTls, isWebSocket, type Role } from './peer';

/** A peer that does less than the others is no peer. @throws Error when it does not pass a request on with the fields that all set */
export async function checkProxies(name: string, port: number, role: Role): Promise<void> {
  if (isWebSocket(role)) return checkEcho(name, port, isTls(role));
  const { status, body } = await get(port, PATHS.check, isTls(role));
  const expected = [HOST, isTls(role) ? 'https' : 'http', String(port)].join('|');
  if (status === 200 && body === expected) return;
  throw new Error(`'${name}' must pass X-Forwarded-For, -Proto and -Port on as ${expected}, got ${status} ${body}`);
}

async function checkEcho(name: string, port: number, overTls: boolean): Promise<void> {
  const { socket } = await openWebSocket(port, PATHS.echo, overTls);
  try {
    const echoed = once(socket, 'data');
    socket.write(messageFrame(Buffer.from('ping'), true));
    const [bytes] = (await echoed) as [Buffer];
    if (bytes.equals(messageFrame(Buffer.from('ping'), false))) return;
    throw new Error(`'${name}' must bring a WebSocket message back, got ${bytes.toString('hex')}`);
  } finally {
    socket.destroy();
  }
}

function get(port: number, path: string, overTls: boolean): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: HOST, port, path, agent: false as const, rejectUnauthorized: false };
    const call = overTls ? requestTls(options) : request(options);
    call.once('error', reject);
    call.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.once('error', reject).once('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.end();
  });
}
