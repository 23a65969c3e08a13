import { STATUS_CODES } from 'node:http';
import type { Response } from '../contract/data-plane';
import type { PackedWriter } from '../contract/handover';
import type { ResponseHead, FieldBlock } from '../contract/streams';
import type { Transport } from '../contract/transport';
import { LAST_CHUNK, chunkHead } from './message/chunked';
import { dateLine } from './message/date-line';
import { TEXT_BYTES } from './http1-upstream';
import { buildFieldBlock } from '../fields/lines';
import type { Http1Head } from './message/request-head';

/** Of the response that is due. `continued`: a 100 was sent, and the client sends its body. `ended`: all of it is written. */
export type WriterState = 'awaited' | 'continued' | 'begun' | 'ended';

/** Writes the responses of one client connection, each framed anew. */
export class ResponseWriter {
  /** The connection ends with the response that is under way. */
  isLast = false;
  private state: WriterState = 'awaited';
  private isChunked = false;
  /** Written, and not yet given to the transport: what belongs together leaves together. */
  private out = '';

  constructor(private readonly transport: Transport) {}

  /** For the next response. */
  reset(): void {
    this.isLast = false;
    this.state = 'awaited';
    this.isChunked = false;
  }

  /** How it goes on in another process; undefined where it is not in the middle of a response. */
  pack(): PackedWriter | undefined {
    const { isLast, isChunked } = this;
    return this.state === 'begun' && this.out === '' ? { isLast, isChunked } : undefined;
  }

  /** Goes on where another one was. */
  unpack({ isLast, isChunked }: PackedWriter): void {
    this.isLast = isLast;
    this.isChunked = isChunked;
    this.state = 'begun';
  }

  get isEnded(): boolean {
    return this.state === 'ended';
  }

  inform(status: number, fields: FieldBlock): void {
    if (status === 100) this.state = 'continued';
    this.transport.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${status === 100 ? '' : fields}\r\n`);
  }

  begin(response: ResponseHead, request: Http1Head, isUploading: boolean, isDraining: boolean): void {
    const { status, reason, fields, bodyLength, statedLength } = response;
    const isOld = request.httpVersion === '1.0';
    this.isChunked = bodyLength === -1 && !isOld;
    this.decideLast(request, isUploading, isDraining);
    this.state = 'begun';
    // Without a length and without chunks a response ends with its connection.
    if (bodyLength === -1 && isOld) this.isLast = true;
    let text = `HTTP/1.1 ${status} ${reason === '' ? (STATUS_CODES[status] ?? '') : reason}\r\n${fields}`;
    if (response.lacksDate === true) text += dateLine();
    if (statedLength !== undefined) text += `Content-Length: ${statedLength}\r\n`;
    else if (this.isChunked) text += 'Transfer-Encoding: chunked\r\n';
    this.out += `${text}${this.connectionLine(isOld)}\r\n`;
  }

  write(bytes: Buffer): void {
    const before = this.isChunked ? this.out + chunkHead(bytes.length) : this.out;
    const after = this.isChunked ? '\r\n' : '';
    if (bytes.length <= TEXT_BYTES) {
      this.out = before + bytes.toString('latin1', 0, bytes.length) + after;
      return;
    }
    this.transport.writeBytes(bytes, before);
    this.out = after;
  }

  end(trailers: FieldBlock): void {
    if (this.isChunked) this.out += `${LAST_CHUNK}${trailers}\r\n`;
    this.state = 'ended';
  }

  /** One by the proxy itself, whole. `request` undefined: it could not be read. */
  respond(response: Response, request: Http1Head | undefined, isUploading: boolean, isDraining: boolean): void {
    const { connection, ...headers } = { connection: '', ...response.headers };
    if (request === undefined || connection.includes('close')) this.isLast = true;
    else this.decideLast(request, isUploading, isDraining);
    const body = Buffer.from(response.body ?? '').toString('latin1');
    let fields = buildFieldBlock(headers);
    if (!('date' in headers)) fields += dateLine();
    if (body !== '' && !('content-type' in headers)) fields += 'Content-Type: text/plain; charset=utf-8\r\n';
    if (response.status !== 204 && response.status !== 304) fields += `Content-Length: ${body.length}\r\n`;
    const status = `${response.status} ${STATUS_CODES[response.status] ?? ''}`;
    this.out += `HTTP/1.1 ${status}\r\n${fields}${this.connectionLine(request?.httpVersion === '1.0', connection)}\r\n`;
    if (request?.method !== 'HEAD') this.out += body;
    this.state = 'ended';
  }

  flush(): void {
    const { out } = this;
    if (out === '') return;
    this.out = '';
    this.transport.write(out);
  }

  private decideLast(request: Http1Head, isUploading: boolean, isDraining: boolean): void {
    if (!request.keepsAlive) this.isLast = true;
    // A close under a body that is still coming would reset the response away, unless the client was waiting to send it:
    // it may send it now or not, so its next byte is unknown.
    if (isUploading ? request.expectsContinue && this.state !== 'continued' : isDraining) this.isLast = true;
  }

  private connectionLine(isOld: boolean, given = ''): string {
    if (this.isLast) return `Connection: ${given === '' ? 'close' : given}\r\n`;
    return isOld ? 'Connection: keep-alive\r\n' : '';
  }
}
