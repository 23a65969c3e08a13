/**
 * An error as an AWS service responds to it: the code that SDKs turn into an exception's name, a message, an HTTP status.
 * The protocol of the service decides the shape of the bytes.
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
