import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Answer } from './data-plane';
import { Fields, tokens } from './fields';
import { refuse, requestFraming } from './head';

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Why a WebSocket handshake is not passed on (RFC 6455 section 4.2.1). */
export function handshakeRefusal(request: IncomingMessage): Answer | undefined {
  if (request.method !== 'GET') return refuse(400, 'A WebSocket is asked for with GET');
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor !== 1)
    return refuse(400, 'A WebSocket needs HTTP/1.1');
  if (requestFraming(request) !== 'none') return refuse(400, 'A WebSocket handshake has no body');
  if (request.headers['sec-websocket-version'] !== '13') {
    return refuse(426, 'Only WebSocket version 13', { 'sec-websocket-version': '13', upgrade: 'websocket' });
  }
  if (!isKey(request.headers['sec-websocket-key'])) return refuse(400, 'Sec-WebSocket-Key must be 16 bytes in base64');
  return undefined;
}

/** The fields of this hop that ask the upstream for the same switch. */
export const HANDSHAKE_FIELDS: Fields = { connection: 'Upgrade', upgrade: 'websocket' };

/** Whether a 101 answers this handshake (RFC 6455 section 4.2.2). */
export function acceptsHandshake(request: IncomingMessage, answer: IncomingMessage): boolean {
  const key = request.headers['sec-websocket-key'] ?? '';
  const expected = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  return answer.headers['sec-websocket-accept'] === expected && tokens(answer.headers.upgrade).includes('websocket');
}

/** The 101 as it goes to the client. */
export function switchingProtocols(fields: Fields): string {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
  for (const [name, value] of Object.entries(fields)) {
    for (const item of [value].flat()) if (item !== undefined) lines.push(`${name}: ${item}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function isKey(value: string | undefined): boolean {
  return value !== undefined && /^[A-Za-z0-9+/]{22}==$/.test(value);
}
