import type { Answer } from '../contract/data-plane';

/** A head that is not served, and why. */
export class Refusal {
  constructor(
    readonly status: number,
    readonly why: string,
    readonly fields: Readonly<Record<string, string>> = {},
  ) {}

  /** The connection ends with it: where the next request would begin is not known. */
  get answer(): Answer {
    return this.as({ status: this.status, body: `${this.why}\n` });
  }

  /** In the words of another answer. */
  as({ status, headers, body }: Answer): Answer {
    return { status, headers: { connection: 'close', ...this.fields, ...headers }, body };
  }
}

export const TOO_LONG_LINE = new Refusal(414, 'The request line is too long');
export const TOO_LARGE_FIELDS = new Refusal(431, 'The header fields are too large');
export const BARE_LF = new Refusal(400, 'A line must end with CR LF');
