import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import http2 from 'node:http2';
import {
  MAX_HEADER_BYTES,
  ProxyHeaderFault,
  readProxyHeader,
} from '../../../../proxy/data-plane/engine/proxy-protocol';
import { mirror, Mirrored } from '../../support/mirror';
import { ProxyChanges, startTestProxy } from '../../support/proxy-world';
import { later, selfSigned, startBackend, stopAll } from '../../support/world';

afterEach(stopAll);

/** A header of version 2: command, family, addresses, extensions. */
function binary(command: number, family: number, addresses: string, extensions = ''): Buffer {
  const rest = Buffer.from(addresses + extensions, 'hex');
  const fixed = Buffer.from([
    0x0d,
    0x0a,
    0x0d,
    0x0a,
    0,
    0x0d,
    0x0a,
    0x51,
    0x55,
    0x49,
    0x54,
    0x0a,
    command,
    family,
    0,
    0,
  ]);
  fixed.writeUInt16BE(rest.length, 14);
  return Buffer.concat([fixed, rest]);
}

const V4 = 'c0000201' + '0a000001' + '3039' + '01bb';
const V6 = '20010db8000000000000000000000001' + '20010db8000000000000000000000002' + '3039' + '01bb';
const MAPPED = '00000000000000000000ffffc0000201' + '00000000000000000000ffff0a000001' + '3039' + '01bb';
const client = (address: string) => ({ address, port: 12_345 });

test.each([
  ['1, IPv4', 'PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\r\n', client('192.0.2.1')],
  ['1, IPv6', 'PROXY TCP6 2001:DB8:0::1 ::1 12345 443\r\n', client('2001:db8::1')],
  ['1, IPv4 within IPv6', 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:10.0.0.1 12345 443\r\n', client('192.0.2.1')],
  ['1, unknown', 'PROXY UNKNOWN\r\n', undefined],
  ['1, unknown with more', 'PROXY UNKNOWN ffff::1 what ever\r\n', undefined],
  ['2, IPv4', binary(0x21, 0x11, V4), client('192.0.2.1')],
  ['2, IPv4 with extensions', binary(0x21, 0x11, V4, '040000' + '030004a1b2c3d4'), client('192.0.2.1')],
  ['2, IPv6', binary(0x21, 0x21, V6), client('2001:db8::1')],
  ['2, IPv4 within IPv6', binary(0x21, 0x21, MAPPED), client('192.0.2.1')],
  ['2, a Unix socket', binary(0x21, 0x31, '00'.repeat(216)), undefined],
  ['2, unspecified', binary(0x21, 0x00, ''), undefined],
  ['2, a health check', binary(0x20, 0x00, ''), undefined],
  ['2, a health check with what is to be ignored', binary(0x20, 0x12, 'ffffff'), undefined],
])('reads version %s, however it is cut', (_, header, expected) => {
  const bytes = Buffer.concat([Buffer.from(header as string, 'latin1'), Buffer.from('GET / HTTP/1.1\r\n')]);
  const length = header.length;
  expect(readProxyHeader(bytes)).toEqual({ length, client: expected });
  for (let at = 0; at < length; at += 1) expect(readProxyHeader(bytes.subarray(0, at))).toBe('incomplete');
});

test.each([
  ['none', 'GET / HTTP/1.1\r\n'],
  ['one in another case', 'proxy TCP4 192.0.2.1 10.0.0.1 1 2\r\n'],
  ['two spaces', 'PROXY TCP4  192.0.2.1 10.0.0.1 1 2\r\n'],
  ['a space behind', 'PROXY TCP4 192.0.2.1 10.0.0.1 1 2 \r\n'],
  ['a zero in front of a port', 'PROXY TCP4 192.0.2.1 10.0.0.1 01 2\r\n'],
  ['a port that is none', 'PROXY TCP4 192.0.2.1 10.0.0.1 65536 2\r\n'],
  ['a sign', 'PROXY TCP4 192.0.2.1 10.0.0.1 +1 2\r\n'],
  ['a missing port', 'PROXY TCP4 192.0.2.1 10.0.0.1 1\r\n'],
  ['an octal address', 'PROXY TCP4 0192.0.2.1 10.0.0.1 1 2\r\n'],
  ['a short address', 'PROXY TCP4 192.2 10.0.0.1 1 2\r\n'],
  ['the other family', 'PROXY TCP4 ::1 ::1 1 2\r\n'],
  ['the other family again', 'PROXY TCP6 192.0.2.1 10.0.0.1 1 2\r\n'],
  ['a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'],
  ['a family that is none', 'PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n'],
  ['a name of a member of objects', 'PROXY constructor 192.0.2.1 10.0.0.1 1 2\r\n'],
  ['a line feed alone', `PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n${' '.repeat(107)}`],
  ['no end', `PROXY UNKNOWN ${'a'.repeat(107)}`],
  ['another version', binary(0x11, 0x11, V4)],
  ['another command', binary(0x22, 0x11, V4)],
  ['a datagram', binary(0x21, 0x12, V4)],
  ['a family of later days', binary(0x21, 0x41, V4)],
  ['less than its addresses', binary(0x21, 0x21, V4)],
  ['an extension that is cut', binary(0x21, 0x11, V4, '0400')],
  ['an extension over the end', binary(0x21, 0x11, V4, '04000201')],
  ['more than is read', binary(0x21, 0x11, V4, 'ff'.repeat(MAX_HEADER_BYTES))],
])('rejects %s', (_, header) => {
  expect(readProxyHeader(Buffer.from(header as string, 'latin1'))).toBeInstanceOf(ProxyHeaderFault);
});

async function startBehindHeaders(changes: ProxyChanges = {}) {
  const { port } = await startBackend(mirror);
  const proxy = await startTestProxy(port, { proxyProtocol: 'required', ...changes });
  return { proxy, port: proxy.data.port };
}

function connect(port: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  later(() => void socket.destroy());
  return socket;
}

async function readText(socket: net.Socket): Promise<string> {
  let text = '';
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')));
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n';

test.each([
  ['in one piece', [`PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n${REQUEST}`], 'append', '198.51.100.1, 192.0.2.1'],
  ['in two', [binary(0x21, 0x21, V6), REQUEST], 'append', '198.51.100.1, 2001:db8::1'],
  ['preserved', [binary(0x21, 0x11, V4), REQUEST], 'preserve', '198.51.100.1'],
  ['of the sender itself', [binary(0x20, 0, ''), REQUEST], 'append', '198.51.100.1, 127.0.0.1'],
] as const)('the client is whom the header names: %s', async (_, pieces, forwardedFor, expected) => {
  const { port } = await startBehindHeaders({ forwardedFor });
  const socket = connect(port);
  const text = readText(socket);
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise(setImmediate);
  }
  expect(await text).toContain(`"x-forwarded-for":"${expected}"`);
});

test('a connection without a header is cut, without a word, and logged', async () => {
  const { port, proxy } = await startBehindHeaders({ accessLog: 'on' });
  const socket = connect(port);
  socket.write(REQUEST);
  expect(await readText(socket)).toBe('');
  expect(proxy.lines).toContainEqual(expect.objectContaining({ status: 400, client: '127.0.0.1' }));
});

test('a header must come in time', async () => {
  const { port } = await startBehindHeaders({ timeouts: { headMs: 40 } });
  const socket = connect(port);
  socket.write('PROXY TCP4 192.0.2.1');
  expect(await readText(socket)).toBe('');
});

test('over TLS the header comes before the handshake, for HTTP/1.1 and HTTP/2', async () => {
  const { port } = await startBehindHeaders({ tls: await selfSigned() });
  const secured = async (protocol: string) => {
    const socket = connect(port);
    socket.write(binary(0x21, 0x11, V4));
    const secure = tls.connect({ socket, rejectUnauthorized: false, ALPNProtocols: [protocol] });
    await once(secure, 'secureConnect');
    return secure;
  };
  const first = await secured('http/1.1');
  const text = readText(first);
  first.write(REQUEST);
  expect(await text).toContain('"x-forwarded-for":"198.51.100.1, 192.0.2.1"');

  const second = await secured('h2');
  const session = http2.connect('https://a', { createConnection: () => second });
  later(() => session.destroy());
  const stream = session.request({ ':path': '/' });
  let body = '';
  for await (const piece of stream) body += String(piece);
  expect((JSON.parse(body) as Mirrored).headers['x-forwarded-for']).toBe('192.0.2.1');
});

test('plain HTTP/2 by prior knowledge keeps the address', async () => {
  const { port } = await startBehindHeaders();
  const socket = connect(port);
  socket.write(binary(0x21, 0x11, V4));
  const session = http2.connect('http://a', { createConnection: () => socket });
  later(() => session.destroy());
  let body = '';
  for await (const piece of session.request({ ':path': '/' })) body += String(piece);
  expect((JSON.parse(body) as Mirrored).headers['x-forwarded-for']).toBe('192.0.2.1');
});
