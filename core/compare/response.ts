/** A response as it came, without the framing of the connection. */
export interface ComparedResponse {
  readonly status: number;
  /** Names in any case. The order counts among the lines of one name. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** With its content coding; without that of a transfer. */
  readonly body: Uint8Array;
  /** Whether only its beginning was recorded. */
  readonly isBodyCut?: boolean;
}

/** Two responses to one request. One that is absent did not come. */
export interface ResponsePair {
  readonly route: {
    readonly method: string;
    /** In origin form or absolute. */
    readonly url: string;
  };
  /** As it was recorded. */
  readonly source: ComparedResponse | undefined;
  /** The target's; of a repeat the source's own second one. */
  readonly target: ComparedResponse | undefined;
  /** Whether both are the source's: what differs then is noise. */
  readonly isRepeat: boolean;
}

/** A body without its content coding. */
export interface DecodedBody {
  readonly bytes: Uint8Array;
  /** Whether there is more that was not decoded. */
  readonly isCut: boolean;
}

/**
 * Takes a content coding off (RFC 9110, section 8.4). The result has at most `maxBytes`, and it costs no more than these to know.
 *
 * @param coding in lowercase
 * @returns undefined where it cannot: the coding is not known, or the bytes are not of it
 */
export type Decode = (body: DecodedBody, coding: string, maxBytes: number) => DecodedBody | undefined;
