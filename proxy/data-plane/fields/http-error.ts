import type { Response } from '../contract/data-plane';

/** A head that is not served, and why. */
export class Rejection {
  constructor(
    readonly status: number,
    readonly why: string,
    readonly fields: Readonly<Record<string, string>> = {},
  ) {}

  /** The connection ends with it: where the next request would begin is not known. */
  get response(): Response {
    return this.as({ status: this.status, body: `${this.why}\n` });
  }

  /** In the words of another response. */
  as({ status, headers, body }: Response): Response {
    return { status, headers: { connection: 'close', ...this.fields, ...headers }, body };
  }
}

export const TOO_LONG_LINE = new Rejection(414, 'The request line is too long');
export const TOO_LARGE_FIELDS = new Rejection(431, 'The header fields are too large');
export const BARE_LF = new Rejection(400, 'A line must end with CR LF');
