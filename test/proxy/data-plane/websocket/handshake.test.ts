import type { RequestHead } from '../../../../proxy/data-plane/contract/data-plane';
import { switchingProtocols } from '../../../../proxy/data-plane/exchange/upgrade';
import { acceptKey, handshakeRejection, isAccepted } from '../../../../proxy/data-plane/websocket/handshake';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** RFC 6455 section 1.3. */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

function head(fields: Record<string, string> = {}, changes: Partial<RequestHead> = {}): RequestHead {
  const all: Record<string, string> = { 'sec-websocket-version': '13', 'sec-websocket-key': KEY, ...fields };
  return {
    field: (name) => all[name],
    method: 'GET',
    url: '/ws',
    httpVersion: '1.1',
    headers: all,
    client: { address: '192.0.2.1', port: 1 },
    isTls: false,
    isUpgrade: true,
    ...changes,
  };
}

test('a whole handshake is passed on', () => {
  expect(handshakeRejection(head(), 0)).toBeUndefined();
});

test.each([
  ['another method', head({}, { method: 'POST' }), 0],
  ['HTTP/1.0', head({}, { httpVersion: '1.0' }), 0],
  ['a body', head(), 3],
  ['a body of unknown length', head(), -1],
  ['no key', head({ 'sec-websocket-key': '' }), 0],
  ['a short key', head({ 'sec-websocket-key': 'c2hvcnQ=' }), 0],
  ['a long key', head({ 'sec-websocket-key': `AAAA${KEY}` }), 0],
  ['a key without its padding', head({ 'sec-websocket-key': KEY.slice(0, -2) }), 0],
  ['a key of another alphabet', head({ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25j_Q==' }), 0],
  ['a key that no encoder writes', head({ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZR==' }), 0],
  ['two keys', head({ 'sec-websocket-key': `${KEY}, ${KEY}` }), 0],
])('a handshake with %s is rejected with 400', (_, request, bodyLength) => {
  expect(handshakeRejection(request, bodyLength)).toMatchObject({ status: 400, headers: { connection: 'close' } });
});

test('a long method is not said again', () => {
  expect(handshakeRejection(head({}, { method: 'X'.repeat(5_000) }), 0)?.body).toBe(
    'A WebSocket must be asked for with GET\n',
  );
});

test.each(['8', '', '013', '13, 8'])('version %j is rejected with 426 and what to do', (version) => {
  expect(handshakeRejection(head({ 'sec-websocket-version': version }), 0)).toMatchObject({
    status: 426,
    headers: { upgrade: 'websocket', 'sec-websocket-version': '13' },
  });
});

test('the accept value is the one of RFC 6455 section 1.3', () => {
  expect(acceptKey(KEY)).toBe(ACCEPT);
});

const UPGRADE = 'Upgrade: websocket\r\n';
const ACCEPTED = `${UPGRADE}Sec-WebSocket-Accept: ${ACCEPT}\r\n`;
const OFFER = {
  'sec-websocket-protocol': 'chat, superchat',
  'sec-websocket-extensions': 'permessage-deflate; x=1, foo',
};

test.each([
  ['nothing chosen', {}, ACCEPTED],
  [
    'other cases of names and of the protocol',
    {},
    ACCEPTED.toLowerCase().replace(ACCEPT.toLowerCase(), ACCEPT).replace('websocket', 'WebSocket'),
  ],
  ['a subprotocol that was offered', OFFER, `${ACCEPTED}Sec-WebSocket-Protocol: superchat\r\n`],
  [
    'extensions that were offered',
    OFFER,
    `${ACCEPTED}Sec-WebSocket-Extensions: foo;y\r\nsec-websocket-extensions: permessage-deflate\r\n`,
  ],
])('a 101 with %s is taken', (_, offered, fields) => {
  expect(isAccepted(head(offered), fields)).toBe(true);
});

test.each([
  ['no accept value', {}, UPGRADE],
  ['another accept value', {}, `${UPGRADE}Sec-WebSocket-Accept: ${acceptKey('another')}\r\n`],
  ['two accept values', {}, `${ACCEPTED}Sec-WebSocket-Accept: ${ACCEPT}\r\n`],
  ['a no-break space, which is no white space here', {}, ACCEPTED.replace(ACCEPT, `${ACCEPT}\xa0`)],
  ['a no-break space around a subprotocol', OFFER, `${ACCEPTED}Sec-WebSocket-Protocol: chat\xa0\r\n`],
  ['no protocol', {}, ACCEPTED.replace(UPGRADE, '')],
  ['another protocol', {}, ACCEPTED.replace('websocket', 'h2c')],
  ['two protocols', {}, ACCEPTED.replace('websocket', 'websocket, h2c')],
  ['a subprotocol where none was offered', {}, `${ACCEPTED}Sec-WebSocket-Protocol: chat\r\n`],
  ['a subprotocol that was not offered', OFFER, `${ACCEPTED}Sec-WebSocket-Protocol: Chat\r\n`],
  ['two subprotocols', OFFER, `${ACCEPTED}Sec-WebSocket-Protocol: chat, superchat\r\n`],
  ['an extension where none was offered', {}, `${ACCEPTED}Sec-WebSocket-Extensions: permessage-deflate\r\n`],
  ['an extension that was not offered', OFFER, `${ACCEPTED}Sec-WebSocket-Extensions: foo, bar\r\n`],
])('a 101 with %s is not', (_, offered, fields) => {
  expect(isAccepted(head(offered), fields)).toBe(false);
});

test('the 101 for the client names this hop’s switch and carries the rest', () => {
  expect(switchingProtocols(ACCEPTED)).toBe(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
  );
});
