import { isIPv4, isIPv6 } from 'node:net';
import type { Peer } from '../contract/transport';

/** A whole header: its bytes, and whom it names; none where the connection is the sender's own (a health check). */
export interface ProxyHeader {
  readonly length: number;
  readonly client: Peer | undefined;
}

/** Why some bytes are no header. */
export class ProxyHeaderFault {
  constructor(readonly why: string) {}
}

/** More than any sender needs: version 2 has room for 64 KiB of extensions, which may hold a certificate's names. */
export const MAX_HEADER_BYTES = 4096;
/** With its CR LF; section 2.1. */
const MAX_TEXT_BYTES = 107;
const TEXT_START = Buffer.from('PROXY ', 'latin1');
const BINARY_START = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const BINARY_FIXED_BYTES = 16;
const LOCAL = 0x20;
const PROXY = 0x21;

/** Bytes of the addresses by family and transport. Only streams: this is a port of TCP. Section 2.2. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216 };
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/**
 * Reads the header that a load balancer sends before the bytes of a client, in version 1 (text) or 2 (binary). Strict: what is
 * not exactly a header is a fault, as its sender could name anybody.
 *
 * @param bytes all that came until now
 * @see https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | ProxyHeaderFault | 'incomplete' {
  if (startsLike(bytes, BINARY_START)) return bytes.length < BINARY_FIXED_BYTES ? 'incomplete' : readBinary(bytes);
  if (startsLike(bytes, TEXT_START)) return readText(bytes);
  return new ProxyHeaderFault('The connection must begin with a PROXY header');
}

/** As far as both go. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function readText(bytes: Buffer): ProxyHeader | ProxyHeaderFault | 'incomplete' {
  const end = bytes.subarray(0, MAX_TEXT_BYTES).indexOf('\r\n', 0, 'latin1');
  if (end < 0) {
    return bytes.length < MAX_TEXT_BYTES ? 'incomplete' : new ProxyHeaderFault('The PROXY header has no end');
  }
  const line = bytes.toString('latin1', 0, end);
  const length = end + 2;
  // What follows UNKNOWN is to be ignored.
  if (/^PROXY UNKNOWN( |$)/.test(line)) return { length, client: undefined };
  const [, family, source, destination, ...ports] = line.split(' ');
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIpv6 : () => false;
  const isWhole = ports.length === 2 && ports.every(isPort);
  if (!isWhole || !isAddress(source ?? '') || !isAddress(destination ?? '')) {
    return new ProxyHeaderFault('The PROXY header of version 1 is malformed');
  }
  return { length, client: { address: canonical(source!), port: Number(ports[0]) } };
}

function isPlainIpv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function readBinary(bytes: Buffer): ProxyHeader | ProxyHeaderFault | 'incomplete' {
  const command = bytes[12]!;
  const family = bytes[13]!;
  const length = BINARY_FIXED_BYTES + bytes.readUInt16BE(14);
  if (command !== LOCAL && command !== PROXY) {
    return new ProxyHeaderFault('The PROXY header must be of version 2 and of a known command');
  }
  if (length > MAX_HEADER_BYTES) return new ProxyHeaderFault(`The PROXY header exceeds ${MAX_HEADER_BYTES} bytes`);
  const addressBytes = command === LOCAL ? 0 : ADDRESS_BYTES[family];
  if (addressBytes === undefined) return new ProxyHeaderFault('The PROXY header must be of a stream');
  const extensionsAt = BINARY_FIXED_BYTES + addressBytes;
  if (length < extensionsAt) return new ProxyHeaderFault('The PROXY header is shorter than its addresses');
  if (bytes.length < length) return 'incomplete';
  // Of a LOCAL one all of this is to be ignored.
  if (command === LOCAL) return { length, client: undefined };
  if (!areExtensions(bytes.subarray(extensionsAt, length))) {
    return new ProxyHeaderFault('The extensions of the PROXY header do not fill it');
  }
  return { length, client: parseClient(bytes, family) };
}

/** Type, length of two bytes, value; one after the other to the very end. */
function areExtensions(bytes: Buffer): boolean {
  let at = 0;
  while (at + 3 <= bytes.length) at += 3 + bytes.readUInt16BE(at + 1);
  return at === bytes.length;
}

function parseClient(bytes: Buffer, family: number): Peer | undefined {
  if (family === TCP_OVER_IPV4) return { address: bytes.subarray(16, 20).join('.'), port: bytes.readUInt16BE(24) };
  // From a Unix socket, or from an unknown address.
  if (family !== TCP_OVER_IPV6) return undefined;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(16 + 2 * index).toString(16));
  return { address: canonical(groups.join(':')), port: bytes.readUInt16BE(48) };
}

/** As `Socket.remoteAddress` has it (RFC 5952), and an IPv4 address in an IPv6 one as IPv4. */
function canonical(address: string): string {
  if (isIPv4(address)) return address;
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(short) ?? [];
  if (high === undefined || low === undefined) return short;
  return [high, low].flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]).join('.');
}
