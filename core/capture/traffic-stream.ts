import { BinaryReader, BinaryWriter, WireType as Type } from '@bufbuild/protobuf/wire';

/**
 * What was seen of one connection, in the format of OpenSearch Migrations, whose replayer reads it. A long connection has several
 * of them, in order.
 *
 * @see https://github.com/opensearch-project/opensearch-migrations TrafficCapture/captureProtobufs, TrafficCaptureStream.proto
 */
export interface TrafficStream {
  readonly connectionId: string;
  /** The process that recorded it. */
  readonly nodeId: string;
  /** How many requests of the connection came before this part of it. */
  readonly priorRequests: number;
  /** The part before this one ended within a request. */
  readonly wasReading: boolean;
  /** The place of this part among those of the connection, from 0. */
  readonly index: number;
  /** No further part follows. */
  readonly isLast: boolean;
  readonly observations: readonly Observation[];
}

/** Seen at a time, in nanoseconds since 1970. */
export type Observation = { readonly timeNs: bigint } & Seen;

export type Seen =
  | { readonly kind: 'read' | 'write' | 'readSegment' | 'writeSegment'; readonly data: Uint8Array }
  | { readonly kind: 'endOfMessage'; readonly firstLineBytes: number; readonly headersBytes: number }
  | { readonly kind: 'exception'; readonly message: string }
  | { readonly kind: 'released'; readonly timedOut: boolean }
  | { readonly kind: 'bind' | 'connect' | 'disconnect' | 'close' | 'segmentEnd' | 'dropped' };

/** Why bytes are no `TrafficStream`. */
export class NoTrafficStream extends Error {}

const STREAM = { observation: 2, index: 3, lastIndex: 4, nodeId: 5, priorRequests: 6, wasReading: 7, connectionId: 1 };
const TIME = 1;
/** The field of each kind of observation. 7 and 13 are of no use. */
const SEEN = {
  bind: 2,
  connect: 3,
  read: 4,
  readSegment: 5,
  released: 6,
  write: 8,
  writeSegment: 9,
  disconnect: 10,
  close: 11,
  exception: 12,
  segmentEnd: 14,
  endOfMessage: 15,
  dropped: 16,
} as const satisfies Record<Seen['kind'], number>;
const KINDS = new Map(Object.entries(SEEN).map(([kind, field]) => [field as number, kind as Seen['kind']]));
const DATA = { read: 1, write: 1, readSegment: 2, writeSegment: 2 } as const;
const NS = 1_000_000_000n;

export function encodeTrafficStream(stream: TrafficStream): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(STREAM.connectionId, Type.LengthDelimited).string(stream.connectionId);
  for (const observation of stream.observations) {
    writer.tag(STREAM.observation, Type.LengthDelimited).fork();
    writeObservation(writer, observation);
    writer.join();
  }
  writer.tag(stream.isLast ? STREAM.lastIndex : STREAM.index, Type.Varint).int32(stream.index);
  writer.tag(STREAM.nodeId, Type.LengthDelimited).string(stream.nodeId);
  writer.tag(STREAM.priorRequests, Type.Varint).int32(stream.priorRequests);
  writer.tag(STREAM.wasReading, Type.Varint).bool(stream.wasReading);
  return writer.finish();
}

function writeObservation(writer: BinaryWriter, observation: Observation): void {
  const { timeNs } = observation;
  writer.tag(TIME, Type.LengthDelimited).fork();
  if (timeNs >= NS) writer.tag(1, Type.Varint).int64(timeNs / NS);
  if (timeNs % NS > 0n) writer.tag(2, Type.Varint).int32(Number(timeNs % NS));
  writer.join();
  writer.tag(SEEN[observation.kind], Type.LengthDelimited).fork();
  writeSeen(writer, observation);
  writer.join();
}

function writeSeen(writer: BinaryWriter, seen: Seen): void {
  if ('data' in seen) {
    if (seen.data.length > 0) writer.tag(DATA[seen.kind], Type.LengthDelimited).bytes(seen.data);
  } else if ('firstLineBytes' in seen) {
    writer.tag(1, Type.Varint).int32(seen.firstLineBytes);
    writer.tag(2, Type.Varint).int32(seen.headersBytes);
  } else if ('message' in seen) {
    if (seen.message !== '') writer.tag(1, Type.LengthDelimited).string(seen.message);
  } else if ('timedOut' in seen && seen.timedOut) writer.tag(1, Type.Varint).bool(true);
}

/**
 * Fields that it does not know are skipped, as protobuf has it.
 *
 * @throws NoTrafficStream that says what is wrong with it
 */
export function decodeTrafficStream(bytes: Uint8Array): TrafficStream {
  try {
    return readStream(new BinaryReader(bytes));
  } catch (error) {
    if (error instanceof NoTrafficStream) throw error;
    throw new NoTrafficStream(`its ${bytes.length} bytes are no protobuf message: ${(error as Error).message}`);
  }
}

function readStream(reader: BinaryReader): TrafficStream {
  const observations: Observation[] = [];
  let connectionId: string | undefined;
  let index: number | undefined;
  const stream = { nodeId: '', priorRequests: 0, wasReading: false, isLast: false };
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === STREAM.connectionId) connectionId = reader.string();
    else if (field === STREAM.observation) observations.push(readObservation(reader, reader.uint32()));
    else if (field === STREAM.index || field === STREAM.lastIndex) {
      index = reader.int32();
      stream.isLast = field === STREAM.lastIndex;
    } else if (field === STREAM.nodeId) stream.nodeId = reader.string();
    else if (field === STREAM.priorRequests) stream.priorRequests = reader.int32();
    else if (field === STREAM.wasReading) stream.wasReading = reader.bool();
    else reader.skip(type, field);
  }
  if (connectionId === undefined || connectionId === '') throw new NoTrafficStream('it has no connectionId (field 1)');
  if (index === undefined) throw new NoTrafficStream('it has no number (field 3 or 4)');
  return { connectionId, index, observations, ...stream };
}

function readObservation(reader: BinaryReader, length: number): Observation {
  const end = findEnd(reader, length);
  let timeNs: bigint | undefined;
  let seen: Seen | undefined;
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    const kind = KINDS.get(field);
    if (field === TIME) timeNs = readTime(reader, findEnd(reader, reader.uint32()));
    else if (kind === undefined) reader.skip(type, field);
    else seen = readSeen(reader, kind, findEnd(reader, reader.uint32()));
  }
  if (timeNs === undefined) throw new NoTrafficStream('an observation has no time (field 1)');
  if (seen === undefined) throw new NoTrafficStream('an observation is of no known kind (fields 2 to 16)');
  return { timeNs, ...seen };
}

function findEnd(reader: BinaryReader, length: number): number {
  const end = reader.pos + length;
  if (end > reader.len) throw new NoTrafficStream(`it ends ${end - reader.len} bytes too early`);
  return end;
}

function readTime(reader: BinaryReader, end: number): bigint {
  let ns = 0n;
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (field === 1) ns += BigInt(reader.int64()) * NS;
    else if (field === 2) ns += BigInt(reader.int32());
    else reader.skip(type, field);
  }
  return ns;
}

function readSeen(reader: BinaryReader, kind: Seen['kind'], end: number): Seen {
  const values = new Map<number, number | Uint8Array>();
  while (reader.pos < end) {
    const [field, type] = reader.tag();
    if (type === Type.Varint) values.set(field, reader.int32());
    else if (type === Type.LengthDelimited) values.set(field, reader.bytes());
    else reader.skip(type, field);
  }
  const number = (field: number) => Number(values.get(field) ?? 0);
  const bytes = (field: number) => (values.get(field) as Uint8Array | undefined) ?? new Uint8Array(0);
  if (isData(kind)) return { kind, data: bytes(DATA[kind]) };
  if (kind === 'endOfMessage') return { kind, firstLineBytes: number(1), headersBytes: number(2) };
  if (kind === 'exception') return { kind, message: Buffer.from(bytes(1)).toString() };
  if (kind === 'released') return { kind, timedOut: number(1) !== 0 };
  return { kind };
}

function isData(kind: Seen['kind']): kind is keyof typeof DATA {
  return Object.hasOwn(DATA, kind);
}
