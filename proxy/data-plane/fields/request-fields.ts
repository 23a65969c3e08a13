import { isIPv6 } from 'node:net';
import type { Limits } from '../contract/data-plane';
import type { BodyLength, FieldBlock } from '../contract/streams';
import { ConnectionOptions, requestOptions } from './connection-options';
import {
  CONTENT_LENGTH,
  EXPECT,
  FieldLines,
  HOST,
  Source,
  TE,
  TRANSFER_ENCODING,
  UPGRADE,
  exactLength,
  scanFields,
  tokens,
} from './field-lines';
import { Rejection, TOO_LARGE_FIELDS } from './http-error';

const MALFORMED = new Rejection(400, 'A header line must be NAME: VALUE and end with CR LF');
/** RFC 3986 section 3.2, without user information. The port may be empty. */
const HOST_FORM = /^(?:\[([0-9A-Fa-f:.]+)\]|(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+)(?::(\d{0,5}))?$/;
const CONTINUE = '100-continue';
const MAX_PORT = 65_535;

/**
 * What the fields of a request say, whatever its request line is. The requests of one connection often have the same
 * fields, and then the same one of these.
 */
export class RequestFields {
  readonly options: ConnectionOptions;
  readonly host: string | undefined;
  /** Chunked is -1. */
  readonly bodyLength: BodyLength;
  readonly takesTrailers: boolean;
  readonly hasExpect: boolean;
  /** What `Expect` says stands there as it should, or it is absent. */
  readonly isPlainExpect: boolean;
  /** `websocket`, or the one token of `Upgrade`, as it was sent, where that is switched to. */
  readonly upgrade: string | undefined;
  private keptBits = -1;
  private kept: FieldBlock = '';

  constructor(
    readonly lines: FieldLines,
    bodyLength: BodyLength,
    protocols: Limits['upgradeProtocols'],
  ) {
    this.options = requestOptions(lines);
    this.host = lines.known(HOST);
    this.bodyLength = bodyLength;
    this.takesTrailers = lines.has(TE) && tokens(lines.known(TE)).includes('trailers');
    this.hasExpect = lines.has(EXPECT) && expectations(lines).length > 0;
    this.isPlainExpect = !lines.has(EXPECT) || lines.known(EXPECT)!.toLowerCase() === CONTINUE;
    this.upgrade = this.options.upgrade ? readUpgrade(lines.known(UPGRADE), protocols) : undefined;
  }

  get isChunked(): boolean {
    return this.bodyLength === -1;
  }

  /** The lines as they came, without those of these bits, of these names, and those that `Connection` names. */
  without(bits: number, names: ReadonlySet<string> | undefined): FieldBlock {
    if (names !== undefined) return this.lines.without(bits, new Set([...names, ...(this.options.named ?? [])]));
    if (bits !== this.keptBits) {
      this.keptBits = bits;
      this.kept = this.lines.without(bits, this.options.named);
    }
    return this.kept;
  }
}

/** Reads field lines, from one place of a text to another, with the empty line that ends them. */
export function readRequestFields(
  text: string,
  limits: Limits,
  from = 0,
  end = text.length,
  source?: Source,
): RequestFields | Rejection {
  const lines = scanFields(text, from, end, limits, undefined, source);
  if (lines === 'malformed') return MALFORMED;
  if (lines === 'tooLarge') return TOO_LARGE_FIELDS;
  const rejection = checkHost(lines) ?? checkExpect(lines);
  if (rejection) return rejection;
  const length = readBodyLength(lines);
  return length instanceof Rejection ? length : new RequestFields(lines, length, limits.upgradeProtocols);
}

export function isHost(host: string): boolean {
  const match = HOST_FORM.exec(host);
  if (match === null) return false;
  const [, address, port] = match;
  return (address === undefined || isIPv6(address)) && (port === undefined || Number(port) <= MAX_PORT);
}

/** Without a port that its scheme has anyway (RFC 3986 section 6.2.3), in lower case. */
export function plainHost(host: string, scheme: string): string {
  const port = scheme.toLowerCase() === 'https' ? ':443' : ':80';
  const lower = host.toLowerCase();
  if (lower.endsWith(port)) return lower.slice(0, -port.length);
  return lower.endsWith(':') ? lower.slice(0, -1) : lower;
}

function checkHost(lines: FieldLines): Rejection | undefined {
  if (!lines.has(HOST)) return undefined;
  if (lines.isRepeated(HOST)) return new Rejection(400, 'More than one Host field');
  return isHost(lines.known(HOST)!) ? undefined : new Rejection(400, 'The Host field is not valid');
}

/** An empty one asks for nothing; the same one twice for what it asks for once (RFC 9110 section 10.1.1 has a list). */
function checkExpect(lines: FieldLines): Rejection | undefined {
  if (!lines.has(EXPECT) || expectations(lines).every((each) => each === CONTINUE)) return undefined;
  return new Rejection(417, 'The only expectation is 100-continue');
}

function expectations(lines: FieldLines): string[] {
  return tokens(lines.known(EXPECT)).filter((each) => each !== '');
}

/** A WebSocket may be one wish of several; for another protocol there is to be no doubt. */
function readUpgrade(value: string | undefined, protocols: Limits['upgradeProtocols']): string | undefined {
  const asked = tokens(value);
  if (asked.includes('websocket')) return 'websocket';
  return asked.length === 1 && protocols.includes(asked[0]!) ? value : undefined;
}

/** How the body ends (RFC 9112 section 6.3); anything that could be read in two ways is rejected. */
function readBodyLength(lines: FieldLines): BodyLength | Rejection {
  if (lines.has(TRANSFER_ENCODING)) {
    if (lines.has(CONTENT_LENGTH)) return new Rejection(400, 'Both Transfer-Encoding and Content-Length');
    const codings = tokens(lines.known(TRANSFER_ENCODING));
    const isFinal = codings.indexOf('chunked') === codings.length - 1;
    if (!isFinal) return new Rejection(400, 'The last transfer coding must be chunked');
    return codings.length === 1 ? -1 : new Rejection(501, 'The only transfer coding is chunked');
  }
  if (!lines.has(CONTENT_LENGTH)) return 0;
  if (lines.isRepeated(CONTENT_LENGTH)) return new Rejection(400, 'More than one Content-Length field');
  return exactLength(lines.known(CONTENT_LENGTH)!) ?? new Rejection(400, 'Content-Length must be a number of bytes');
}
