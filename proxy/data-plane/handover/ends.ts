import type { ConnectionHandle, PackedEnd, PackedFrames, StayReason } from '../contract/handover';
import type { Peer, Transport } from '../contract/transport';
import type { ArrivedPumped } from '../pump/arrived-pumped';
import { FramedTransport, PackedFramed } from '../pump/framed-transport';
import type { Pumps } from '../pump/pumps';
import { TLS13_REJECTIONS } from '../tls13/rejections';
import type { TakenTls13 } from '../tls13/take-tls13';
import type { Tls13Connections } from '../tls13/tls13-connections';
import { Tls13State, decodeState, encodeState, tryState, wipeState } from '../tls13/tls13-state';
import { Tls13Transport } from '../tls13/tls13-transport';
import { HandleTransport, PackedTransport } from '../transport/handle-transport';
import type { Handle } from '../transport/native';
import { StreamTransport } from '../transport/stream-transport';
import { TlsTransport } from '../transport/tls-transport';

const NOTHING = Buffer.alloc(0);
const UNKNOWN_PEER: Peer = { address: '', port: 0 };

/** Transports that were taken out of this process: their handles, and what else the other process needs of them. */
export interface TakenEnds {
  readonly ends: readonly PackedEnd[];
  readonly handles: readonly ConnectionHandle[];
  /** What goes beside them, by the numbers in `ends`. */
  readonly states: readonly Buffer[];
  /** They go on here. @returns those that do, paused */
  keep(): Transport[];
  /** Another process has them: the copies of this one are closed, without a word to their peers. */
  release(): void;
}

/** Transports of another process, which are not read yet. */
export interface ArrivedEnds {
  /** They are of this process from now on. @returns them, paused */
  begin(): Transport[];
  /** They are of the other process. */
  drop(): void;
}

/** How a connection leaves this process, and comes. */
export interface WaysOut {
  /** Absent where no connection of TLS goes, or comes. */
  readonly tls?: Tls13Connections | undefined;
  /** Absent where none is pumped. */
  readonly pumps?: Pumps | undefined;
  /** Of clients. */
  readonly arrived: ArrivedPumped;
}

/** Bytes beside an end, and what says which of all bytes they are. */
interface Beside {
  readonly bytes: Buffer;
  name(at: number): Pick<PackedEnd, 'tls' | 'pumped'>;
}

interface TakenEnd {
  readonly end: PackedEnd;
  readonly handle: ConnectionHandle;
  readonly beside?: Beside;
  keep(): Transport;
  release(): void;
}

/** One that Node's TLS has: it alone can turn out to have to stay when it is taken. */
interface TakenNative {
  readonly transport: NativeTls;
  readonly wasPaused: boolean;
  readonly taken: TakenEnd;
  /** As if nothing had been; it is paused. */
  undo(): void;
}

type NativeTls = TlsTransport | StreamTransport;

/**
 * Takes the transports of one connection out of this process, all of them or none.
 *
 * @param transports of the client, and of the upstream where there is one
 * @param first the number of the first bytes that go over with an end
 */
export function takeEnds(transports: readonly Transport[], ways: WaysOut, first: number): TakenEnds | StayReason {
  const obstacle = findObstacle(transports);
  if (obstacle !== undefined) return obstacle;
  const natives = takeNatives(transports, ways);
  if (typeof natives === 'string') return natives;
  const taken = transports.map((transport) => {
    const native = natives.find((one) => one.transport === transport);
    return native?.taken ?? takeOwn(transport, ways);
  });
  const states = taken.flatMap(({ beside }) => beside?.bytes ?? []);
  let next = first;
  return {
    ends: taken.map(({ end, beside }) => ({ ...end, ...beside?.name(next++) })),
    handles: taken.map(({ handle }) => handle),
    states,
    keep: () => {
      wipeAll(states);
      return taken.map((one) => one.keep());
    },
    release: () => {
      wipeAll(states);
      for (const one of taken) one.release();
    },
  };
}

/** @throws Error that says what of them cannot go on here. The handles are the caller's then, and what it has of `bytes` */
export function openEnds(
  ends: readonly PackedEnd[],
  handles: readonly ConnectionHandle[],
  bytes: readonly Buffer[],
  { tls, arrived }: Pick<WaysOut, 'tls' | 'arrived'>,
): ArrivedEnds {
  const states: (Tls13State | undefined)[] = [];
  try {
    for (const end of ends) states.push(openState(end, bytes, tls));
  } catch (error) {
    for (const state of states) if (state !== undefined) wipeState(state);
    throw error;
  }
  const begin = (end: PackedEnd, index: number): Transport => {
    const handle = handles[index]!;
    if (end.pumped !== undefined) {
      const packed = unpackFramed(end, end.pumped, handle, bytes);
      return index === 0 ? arrived.unpack(packed) : FramedTransport.unpack(packed);
    }
    const packed = unpackEnd(end, handle);
    const state = states[index];
    return state === undefined ? HandleTransport.unpack(packed) : tls!.continue(packed, state);
  };
  return {
    begin: () => ends.map(begin),
    drop: () => {
      for (const state of states) if (state !== undefined) wipeState(state);
      closeAll(handles);
    },
  };
}

/** Why one of them has to stay, as far as that is known without touching it. */
function findObstacle(transports: readonly Transport[]): StayReason | undefined {
  for (const transport of transports) {
    if (isPlain(transport) || transport instanceof Tls13Transport || transport instanceof FramedTransport) {
      if (!transport.isQuiet) return 'pending';
    } else if (!isNative(transport)) return transport.isTls ? 'tls' : 'unknown';
  }
  return undefined;
}

/** What was written and has not left is passed on with the rest. */
export function canGoPending(transports: readonly Transport[], { pumps }: WaysOut): boolean {
  return pumps !== undefined && transports.every((transport) => !transport.hasPending || isNative(transport));
}

/** What was accepted while the fast path had not been tried is a stream of Node's. */
function isPlain(transport: Transport): transport is HandleTransport | StreamTransport {
  return transport instanceof HandleTransport || (transport instanceof StreamTransport && !transport.isTls);
}

function isNative(transport: Transport): transport is NativeTls {
  return transport instanceof TlsTransport || (transport instanceof StreamTransport && transport.isTls);
}

function takeNatives(transports: readonly Transport[], ways: WaysOut): TakenNative[] | StayReason {
  const natives: TakenNative[] = [];
  for (const [index, transport] of transports.entries()) {
    if (!isNative(transport)) continue;
    const wasPaused = transport.isPaused;
    transport.pause();
    const taken = takeNative(transport, index > 0, ways);
    if (typeof taken !== 'string') {
      natives.push({ ...taken, transport, wasPaused });
      continue;
    }
    if (!wasPaused) transport.resume();
    for (const one of natives) {
      one.undo();
      if (!one.wasPaused) one.transport.resume();
    }
    return taken;
  }
  return natives;
}

/** With its keys, if that is possible; else its bytes are passed on from here. */
function takeNative(
  transport: NativeTls,
  isUpstream: boolean,
  { tls, pumps }: WaysOut,
): Pick<TakenNative, 'taken' | 'undo'> | StayReason {
  if (!isUpstream && tls?.isUntried === true) return 'pending';
  const taken = isUpstream || tls?.isRight !== true ? 'off' : tls.take(transport);
  if (typeof taken !== 'string') return takeWithKeys(transport, taken);
  if (TLS13_REJECTIONS[taken].mayPass && pumps?.hasWaited(transport) !== true) return 'pending';
  const pumped = pumps === undefined ? 'none' : takePumped(transport, isUpstream, pumps);
  if (pumped !== 'none') return pumped;
  return isUpstream ? 'upstreamTls' : 'tls';
}

function takePumped(
  transport: NativeTls,
  isUpstream: boolean,
  pumps: Pumps,
): Pick<TakenNative, 'taken' | 'undo'> | 'closing' | 'pending' | 'none' {
  const { past } = transport;
  if (transport.isLost || (past.hasReadEnd && past.isShutDown)) return 'closing';
  const pump = pumps.take(transport, !isUpstream, past);
  if (pump === 'later') return 'pending';
  if (pump === 'none') return 'none';
  const { handle, state, release } = pump;
  const keep = () => {
    pump.keep();
    // Who had it meanwhile was told of a loss, or no one.
    if (transport.isDestroyed) setImmediate(() => transport.user.onClose(undefined));
    return transport;
  };
  return { taken: { ...packFramed({ state, unread: NOTHING }), handle, release, keep }, undo: () => pump.undo() };
}

function takeWithKeys(transport: NativeTls, taken: TakenTls13): Pick<TakenNative, 'taken' | 'undo'> {
  const keep = () => {
    taken.restore();
    return transport;
  };
  const end = { hasReadEnd: false, isShutDown: false, peer: transport.peer };
  return {
    taken: { end, handle: taken.handle, beside: besideKeys(taken.state), keep, release: () => taken.release() },
    undo: () => taken.restore(),
  };
}

/** @param leave ends their connection in order: the process that pumps one asks for it when its time has passed */
export function followPumps(transports: readonly Transport[], leave: () => void): void {
  for (const transport of transports) if (transport instanceof FramedTransport) transport.askedToLeave = leave;
}

/** Of those that are this process's own; see `findObstacle`. */
function takeOwn(transport: Transport, { tls, arrived }: WaysOut): TakenEnd {
  if (isPlain(transport)) {
    const { handle, ...end } = transport.pack();
    return {
      ...{ end, handle },
      keep: () => HandleTransport.unpack({ handle, ...end }),
      release: () => closeAll([handle]),
    };
  }
  if (transport instanceof FramedTransport) {
    const isClient = arrived.has(transport);
    const packed = transport.pack();
    const { handle } = packed;
    return {
      ...{ ...packFramed(packed), handle },
      keep: () => (isClient ? arrived.unpack(packed) : FramedTransport.unpack(packed)),
      release: () => closeAll([handle]),
    };
  }
  const { below, state } = (transport as Tls13Transport).pack();
  const { handle, ...end } = below;
  return {
    ...{ end, handle, beside: besideKeys(state) },
    keep: () => tls!.continue(below, state),
    release: () => {
      wipeState(state);
      closeAll([handle]);
    },
  };
}

function besideKeys(state: Tls13State): Beside {
  return { bytes: encodeState(state), name: (tls) => ({ tls }) };
}

function packFramed({ state, unread }: Pick<PackedFramed, 'state' | 'unread'>): Pick<TakenEnd, 'end' | 'beside'> {
  const { hasReadEnd, isShutDown, peer, isTls, header, left } = state;
  return {
    end: { hasReadEnd, isShutDown, peer },
    // A copy, which is wiped as keys are.
    beside: { bytes: Buffer.from(unread), name: (at) => ({ pumped: { isTls, header, left, unread: at } }) },
  };
}

function unpackFramed(
  { hasReadEnd, isShutDown, peer }: PackedEnd,
  { isTls, header, left, unread }: PackedFrames,
  handle: ConnectionHandle,
  bytes: readonly Buffer[],
): PackedFramed {
  const state = { hasReadEnd, isShutDown, peer: peer ?? UNKNOWN_PEER, isTls, header, left };
  return { handle: handle as Handle, state, unread: bytes[unread] ?? NOTHING };
}

function openState(
  { tls: index }: PackedEnd,
  bytes: readonly Buffer[],
  tls: Tls13Connections | undefined,
): Tls13State | undefined {
  if (index === undefined) return undefined;
  if (tls?.isRight !== true) throw new Error('No connection of TLS is taken over here');
  const state = decodeState(bytes[index] ?? Buffer.alloc(0));
  if (tryState(state) !== 'wrong') return state;
  wipeState(state);
  throw new Error('The first record that waits must be the next one of its connection');
}

function unpackEnd({ hasReadEnd, isShutDown, peer }: PackedEnd, handle: ConnectionHandle): PackedTransport {
  return { handle: handle as Handle, hasReadEnd, isShutDown, peer };
}

/** Of what came with these ends: nothing goes on with it. */
export function wipeStates(ends: readonly PackedEnd[], bytes: readonly Buffer[]): void {
  for (const { tls, pumped } of ends) {
    const at = tls ?? pumped?.unread;
    if (at !== undefined) bytes[at]?.fill(0);
  }
}

function wipeAll(states: readonly Buffer[]): void {
  for (const state of states) state.fill(0);
}

function closeAll(handles: readonly ConnectionHandle[]): void {
  for (const handle of handles) handle.close();
}
