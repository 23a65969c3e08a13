import type { IncomingHttpHeaders } from 'node:http';
import type { AwsError } from '../../errors/aws-error';
import type { Need } from '../operations/operation';

export interface AwsRequest {
  readonly method: string;
  /** As it was sent: escaped path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly id: string;
  /** The access key id that signed it; empty when it is not signed. */
  readonly principal: string;
  /** The service that it was signed for, by its signing name: `monitoring`, `s3`; empty when it is not signed. */
  readonly signedFor: string;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** A call whose parameters were read, so that its rights can be checked before it acts. */
export interface Call {
  readonly needs: readonly Need[];
  /**
   * @param demand checks a right that only turns out to be needed on the way.
   * @throws AwsError
   */
  run(demand: (need: Need) => void): HttpReply | Promise<HttpReply>;
  /** Responds as `run` does and changes nothing; absent where that cannot be. */
  readonly pretend?: (() => HttpReply) | undefined;
}

/** One way to write calls, responses and errors as bytes. */
export interface Protocol {
  /** Names the call without judging it. */
  identify(request: AwsRequest): { readonly service: string; readonly action: string };
  /** @throws AwsError for an unknown action, and for parameters that cannot be read. */
  open(request: AwsRequest): Call;
  fail(error: AwsError, request: AwsRequest): HttpReply;
}
