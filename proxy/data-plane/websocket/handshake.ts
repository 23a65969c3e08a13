import { createHash } from 'node:crypto';
import type { Response, RequestHead } from '../contract/data-plane';
import type { BodyLength, FieldBlock } from '../contract/streams';
import { listValues, listed, withoutSpace } from '../fields/lines';

/** The opening handshake of RFC 6455 section 4, on top of what `upgrade.ts` asks of every switch. */

/** RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** 16 bytes in base64: two bits are left for the last letter, so that it is one of four. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** Why a request for a WebSocket is not passed on (RFC 6455 section 4.2.1). */
export function handshakeRejection(head: RequestHead, bodyLength: BodyLength): Response | undefined {
  if (head.method !== 'GET') return reject('A WebSocket must be asked for with GET');
  if (head.httpVersion !== '1.1') return reject(`A WebSocket needs HTTP/1.1, got HTTP/${head.httpVersion}`);
  if (bodyLength !== 0) return reject('A WebSocket handshake must have no body');
  if (head.field('sec-websocket-version') !== '13') return wrongVersion();
  if (!KEY.test(head.field('sec-websocket-key') ?? '')) return reject("'Sec-WebSocket-Key' must be 16 bytes in base64");
  return undefined;
}

/** What an upstream responds with to this key. */
export function acceptKey(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/**
 * Whether a 101 with these fields responds to this handshake (RFC 6455 section 4.1, the client's part): the switch is the one
 * that was asked for, and nothing was chosen that the client had not offered.
 */
export function isAccepted(head: Pick<RequestHead, 'field'>, fields: FieldBlock): boolean {
  const accepts = listValues(fields, 'sec-websocket-accept');
  if (accepts.length !== 1 || accepts[0] !== acceptKey(head.field('sec-websocket-key') ?? '')) return false;
  return isSwitchTo('websocket', fields) && hasOfferedProtocol(head, fields) && hasOfferedExtensions(head, fields);
}

/** Whether a 101 with these fields names this protocol, and it alone. */
export function isSwitchTo(protocol: string, fields: FieldBlock): boolean {
  const upgrades = listValues(fields, 'upgrade');
  return upgrades.length === 1 && upgrades[0]!.toLowerCase() === protocol.toLowerCase();
}

function hasOfferedProtocol(head: Pick<RequestHead, 'field'>, fields: FieldBlock): boolean {
  const chosen = listValues(fields, 'sec-websocket-protocol');
  if (chosen.length === 0) return true;
  return chosen.length === 1 && listed(head.field('sec-websocket-protocol')).includes(chosen[0]!);
}

function hasOfferedExtensions(head: Pick<RequestHead, 'field'>, fields: FieldBlock): boolean {
  const offered = new Set(listed(head.field('sec-websocket-extensions')).map(extensionName));
  const chosen = listValues(fields, 'sec-websocket-extensions').flatMap(listed).map(extensionName);
  return chosen.every((name) => offered.has(name));
}

/** Without its parameters, which are between the two endpoints. */
function extensionName(extension: string): string {
  return withoutSpace(extension.split(';', 1)[0]!);
}

/** RFC 6455 section 4.4; RFC 9110 section 15.5.22 wants `Upgrade` in a 426, and `Connection` names it. */
function wrongVersion(): Response {
  const headers = { connection: 'close, upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  return { status: 426, headers, body: "'Sec-WebSocket-Version' must be 13\n" };
}

/** The connection ends with it: its client may speak another protocol already. */
export function reject(why: string): Response {
  return { status: 400, headers: { connection: 'close' }, body: `${why}\n` };
}
