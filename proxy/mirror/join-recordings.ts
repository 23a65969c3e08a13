import type { MessageRecording, RecordedResponse, Recording, Response } from '../data-plane/contract/data-plane';
import type { MirroredExchange } from './mirrored-exchange';

/** What an exchange tells of itself, for a record and for a copy of it. */
export function joinRecordings(
  record: Recording | undefined,
  copy: MirroredExchange | undefined,
): Recording | undefined {
  if (record === undefined || copy === undefined) return record ?? copy;
  return new RecordAndCopy(record, copy);
}

/** The record decides whether and when the request goes on; the copy hears of it. */
class RecordAndCopy implements Recording {
  readonly isAwaited: boolean;

  constructor(
    private readonly record: Recording,
    private readonly copy: MirroredExchange,
  ) {
    this.isAwaited = record.isAwaited;
  }

  requestReceived(bytes: Buffer): boolean {
    this.copy.requestReceived(bytes);
    const isKept = this.record.requestReceived(bytes);
    if (!isKept) this.copy.forwarded();
    return isKept;
  }

  requestEnded(trailers: string): void {
    this.record.requestEnded(trailers);
    this.copy.requestEnded();
  }

  commit(done: (rejection: Response | undefined) => void): void {
    this.record.commit((rejection) => {
      if (rejection === undefined) this.copy.forwarded();
      done(rejection);
    });
  }

  takeBody(): readonly Buffer[] {
    return this.record.takeBody();
  }

  responseStarted(head: RecordedResponse): void {
    this.record.responseStarted(head);
    this.copy.responseStarted(head);
  }

  responseReceived(bytes: Buffer): void {
    this.record.responseReceived(bytes);
    this.copy.responseReceived(bytes);
  }

  responseEnded(trailers: string): void {
    this.record.responseEnded(trailers);
    this.copy.responseEnded();
  }

  responded(status: number): void {
    this.record.responded(status);
    this.copy.responded();
  }

  followMessages(fields: string): MessageRecording | undefined {
    return this.record.followMessages?.(fields);
  }

  ended(): void {
    this.record.ended();
    this.copy.ended();
  }
}
