import { StringDecoder } from 'node:string_decoder';

export interface StreamEvent {
  readonly id: string;
  readonly data: string;
}

/** Reads `text/event-stream` as it comes. */
export class EventParser {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';
  private id = '';
  private data: string[] = [];
  /** Whether a field has come since the last empty line. */
  private isInside = false;

  /** @returns the events that this chunk completes. */
  take(chunk: Buffer): StreamEvent[] {
    const lines = (this.rest + this.decoder.write(chunk)).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    return lines.map((line) => this.line(line)).filter((event) => event !== undefined);
  }

  /** Call it at the end of the stream, once: whether it came in the middle of an event, which is then none. */
  endsInside(): boolean {
    return this.isInside || this.rest + this.decoder.end() !== '';
  }

  private line(line: string): StreamEvent | undefined {
    if (line === '') return this.dispatch();
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    this.isInside ||= field !== '';
    if (field === 'id') this.id = value;
    if (field === 'data') this.data.push(value);
    return undefined;
  }

  private dispatch(): StreamEvent | undefined {
    const event = this.data.length > 0 ? { id: this.id, data: this.data.join('\n') } : undefined;
    this.data = [];
    this.isInside = false;
    return event;
  }
}
