export interface ClientOptions {
  readonly port: number;
  /** SNI and Host. */
  readonly name: string;
  readonly caFile: string;
  readonly sockets: number;
}

export interface SeenRequest {
  /** When it was due. */
  readonly atMs: number;
  readonly ms: number;
  readonly status?: number;
  readonly side?: string;
  readonly error?: string;
}

/** What the client has counted. */
export interface Seen {
  readonly requests: SeenRequest[];
  /** When WebSockets ended without a Close frame. */
  readonly dropped: number[];
  /** Ends of WebSockets by their code. */
  readonly closes: Record<string, number>;
  readonly messages: { sent: number; responded: number };
}

export function isLost({ status }: SeenRequest): boolean {
  return status !== 200;
}
