/**
 * An error as an AWS service answers it: the code that SDKs turn into an exception's name, a message, an HTTP status.
 * The protocol of the service decides the shape on the wire.
 */
export class AwsError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 400,
  ) {
    super(message);
    this.name = code;
  }
}
