import { StringDecoder } from 'node:string_decoder';

export interface StreamEvent {
  readonly id: string;
  readonly data: string;
}

/** Reads `text/event-stream` as it comes; an event that its stream ends in the middle of is none. */
export class EventParser {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';
  private id = '';
  private data: string[] = [];

  /** @returns the events that this chunk completes. */
  take(chunk: Buffer): StreamEvent[] {
    const lines = (this.rest + this.decoder.write(chunk)).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    return lines.map((line) => this.line(line)).filter((event) => event !== undefined);
  }

  private line(line: string): StreamEvent | undefined {
    if (line === '') return this.dispatch();
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === 'id') this.id = value;
    if (field === 'data') this.data.push(value);
    return undefined;
  }

  private dispatch(): StreamEvent | undefined {
    const event = this.data.length > 0 ? { id: this.id, data: this.data.join('\n') } : undefined;
    this.data = [];
    return event;
  }
}
