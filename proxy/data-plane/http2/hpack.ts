import { decodeHuffman } from './huffman';

export interface HpackField {
  readonly name: string;
  readonly value: string;
  /** Whether it may be in a message (RFC 9113 section 8.2.1). */
  readonly isValid: boolean;
}

/** RFC 7541, appendix A. */
const STATIC: readonly HpackField[] = (
  ':authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|' +
  ':status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|' +
  'accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|authorization|cache-control|' +
  'content-disposition|content-encoding|content-language|content-length|content-location|content-range|content-type|' +
  'cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|' +
  'last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|' +
  'server|set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((line) => /^(:?[^=]+)=?(.*)$/.exec(line)!)
  .map(([, name, value]) => ({ name: name!, value: value!, isValid: true }));

/** What both ends of `node:http2` announce: its default. */
const TABLE_BYTES = 4_096;
/** RFC 7541 section 4.1. */
const ENTRY_BYTES = 32;
/** Longer ones than any block. */
const MAX_INTEGER = 1 << 24;

/** One direction's decoder of field sections (RFC 7541). It knows what it has read, so it must read every block. */
export class HpackDecoder {
  /** The last one first. */
  private table: HpackField[] = [];
  private tableBytes = 0;
  private maxBytes = TABLE_BYTES;
  private block: Buffer = Buffer.alloc(0);
  private at = 0;

  /** Tells the fields of a block in their order. False: it is no HPACK, and nothing after it can be read. */
  decode(block: Buffer, tell: (field: HpackField) => void): boolean {
    this.block = block;
    this.at = 0;
    while (this.at < block.length) {
      const first = block[this.at]!;
      if (first >= 0x80) {
        const field = this.indexed(this.integer(7));
        if (!field) return false;
        tell(field);
      } else if ((first & 0xe0) === 0x20) {
        if (!this.resize(this.integer(5))) return false;
      } else {
        const isKept = first >= 0x40;
        const field = this.literal(this.integer(isKept ? 6 : 4));
        if (!field) return false;
        if (isKept) this.keep(field);
        tell(field);
      }
    }
    return true;
  }

  private indexed(index: number): HpackField | undefined {
    return index <= STATIC.length ? STATIC[index - 1] : this.table[index - STATIC.length - 1];
  }

  private literal(index: number): HpackField | undefined {
    const name = index === 0 ? this.text() : this.indexed(index)?.name;
    const value = name === undefined ? undefined : this.text();
    return name === undefined || value === undefined ? undefined : { name, value, isValid: isField(name, value) };
  }

  private keep(field: HpackField): void {
    this.table.unshift(field);
    this.tableBytes += computeBytes(field);
    this.evict();
  }

  private resize(bytes: number): boolean {
    if (!(bytes <= TABLE_BYTES)) return false;
    this.maxBytes = bytes;
    this.evict();
    return true;
  }

  private evict(): void {
    while (this.tableBytes > this.maxBytes) this.tableBytes -= computeBytes(this.table.pop()!);
  }

  /** RFC 7541 section 5.1; one that is broken off or too large is larger than any index, size or length. */
  private integer(prefixBits: number): number {
    const max = 2 ** prefixBits - 1;
    let value = this.block[this.at]! & max;
    this.at += 1;
    if (value < max) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.block[this.at];
      if (byte === undefined) return MAX_INTEGER;
      this.at += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return MAX_INTEGER;
  }

  private text(): string | undefined {
    if (this.at >= this.block.length) return undefined;
    const isHuffman = this.block[this.at]! >= 0x80;
    const length = this.integer(7);
    const end = this.at + length;
    if (end > this.block.length) return undefined;
    const bytes = this.block.subarray(this.at, end);
    this.at = end;
    return isHuffman ? decodeHuffman(bytes) : bytes.toString('latin1');
  }
}

function computeBytes({ name, value }: HpackField): number {
  return name.length + value.length + ENTRY_BYTES;
}

const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^[\t -~\x80-\xff]*$/;
const AUTHORITY = /^[!$%&'()*+,\-.0-9:;=@A-Z[\]_a-z~]*$/;

/** RFC 9113 section 8.2.1 and RFC 9110 section 5.5: no control bytes, and no white space around a value. */
function isField(name: string, value: string): boolean {
  if (!NAME.test(name)) return false;
  if (name === 'host') return AUTHORITY.test(value);
  return VALUE.test(value) && !isSpace(value.charCodeAt(0)) && !isSpace(value.charCodeAt(value.length - 1));
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
