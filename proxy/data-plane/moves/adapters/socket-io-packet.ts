/** The packets of socket.io 4 inside of those of engine.io 4. @see https://socket.io/docs/v4/socket-io-protocol/ */

/** The first character of each message. @see https://socket.io/docs/v4/engine-io-protocol/ */
export const ENGINE = { open: '0', close: '1', ping: '2', pong: '3', message: '4', upgrade: '5' } as const;

const TYPES = ['connect', 'disconnect', 'event', 'ack', 'connectError', 'binaryEvent', 'binaryAck'] as const;
export type PacketType = (typeof TYPES)[number];

export interface Packet {
  readonly type: PacketType;
  /** Binary messages that follow and belong to it. */
  readonly attachments: number;
  readonly namespace: string;
  /** Of an event that wants an ack, and of its ack. */
  readonly id: string | undefined;
  /** Where its JSON begins. */
  readonly dataAt: number;
}

/** A header is shorter than this: its namespace is what may be long. */
const MAX_HEADER_BYTES = 512;
/** What adapters of socket.io give as offsets has at most 24 characters. */
const MAX_OFFSET_LENGTH = 64;
const HEADER = /^4([0-6])(?:(\d+)-)?(?:(\/[^,]*),)?(\d+)?/;

/** Undefined of what is no packet of socket.io. */
export function parsePacket(payload: Buffer): Packet | undefined {
  const head = payload.toString('utf8', 0, MAX_HEADER_BYTES);
  const match = HEADER.exec(head);
  if (match === null) return undefined;
  const [whole, digit, attachments, namespace = '/', id] = match;
  const type = TYPES[Number(digit)]!;
  if ((attachments !== undefined) !== type.startsWith('binary')) return undefined;
  return {
    type,
    attachments: Number(attachments ?? 0),
    namespace,
    id,
    dataAt: Buffer.byteLength(whole),
  };
}

/** The JSON object behind a packet's header; undefined where there is none. */
export function parseData(payload: Buffer, { dataAt }: Packet): Record<string, unknown> | undefined {
  return parseObject(payload.toString('utf8', dataAt));
}

export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** `40/chat,{"token":"x"}` */
export function formatConnect(namespace: string, data: Readonly<Record<string, unknown>>): string {
  return `40${namespace === '/' ? '' : `${namespace},`}${JSON.stringify(data)}`;
}

/** The last value of an event when it is a text, and not the event's name: what stands there is an offset, where there are offsets. */
export function findLastText(payload: Buffer): string | undefined {
  const tail = payload.toString('latin1', Math.max(0, payload.length - MAX_OFFSET_LENGTH - 4));
  return /,"([^"\\]+)"\]$/.exec(tail)?.[1];
}

const OF_REDIS_STREAM = /^(\d+)-(\d+)$/;
const OF_MONGODB = /^[0-9a-f]{24}$/;

/** Whether an event ends with an offset and not with a text of its own: offsets of one server have one form. */
export function isOffset(text: string, previous: string | undefined): boolean {
  const form = previous === undefined ? undefined : [OF_REDIS_STREAM, OF_MONGODB].find((each) => each.test(previous));
  return form === undefined || form.test(text);
}

/** An event of another server may come behind a later one of its own. Where the order is not known the last one is the latest. */
export function isLaterOffset(offset: string, than: string): boolean {
  const [, ms, count] = OF_REDIS_STREAM.exec(offset) ?? [];
  const [, thanMs, thanCount] = OF_REDIS_STREAM.exec(than) ?? [];
  if (ms === undefined || thanMs === undefined) return true;
  return ms === thanMs ? Number(count) > Number(thanCount) : Number(ms) > Number(thanMs);
}

/** When a server published an event; undefined where its offset does not tell. */
export function findOffsetMs(offset: string): number | undefined {
  const [, ms] = OF_REDIS_STREAM.exec(offset) ?? [];
  return ms === undefined ? undefined : Number(ms);
}
