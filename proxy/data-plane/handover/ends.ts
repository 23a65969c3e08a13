import type { ConnectionHandle, PackedEnd, StayReason } from '../contract/handover';
import type { Transport } from '../contract/transport';
import { TLS13_REJECTIONS } from '../tls13/rejections';
import type { TakenTls13 } from '../tls13/take-tls13';
import type { Tls13Connections } from '../tls13/tls13-connections';
import { Tls13State, decodeState, encodeState, tryState, wipeState } from '../tls13/tls13-state';
import { Tls13Transport } from '../tls13/tls13-transport';
import { HandleTransport, PackedTransport } from '../transport/handle-transport';
import type { Handle } from '../transport/native';
import { StreamTransport } from '../transport/stream-transport';
import { TlsTransport } from '../transport/tls-transport';

/** Transports that were taken out of this process: their handles, and what else the other process needs of them. */
export interface TakenEnds {
  readonly ends: readonly PackedEnd[];
  readonly handles: readonly ConnectionHandle[];
  /** The states of TLS, by the numbers in `ends`. */
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

/** One that Node's TLS has: it alone can turn out to have to stay when it is taken. */
interface TakenNative {
  readonly transport: TlsTransport | StreamTransport;
  readonly wasPaused: boolean;
  readonly taken: TakenTls13;
}

interface TakenEnd {
  readonly end: Omit<PackedEnd, 'tls'>;
  readonly handle: ConnectionHandle;
  readonly state?: Tls13State;
  keep(): Transport;
  release(): void;
}

/**
 * Takes the transports of one connection out of this process, all of them or none.
 *
 * @param transports of the client, and of the upstream where there is one
 * @param firstState the number of the first state of TLS among the bytes that go over
 */
export function takeEnds(
  transports: readonly Transport[],
  tls: Tls13Connections | undefined,
  firstState: number,
): TakenEnds | StayReason {
  const obstacle = findObstacle(transports, tls);
  if (obstacle !== undefined) return obstacle;
  const natives = takeNatives(transports, tls);
  if (typeof natives === 'string') return natives;
  const taken = transports.map((transport) => takeEnd(transport, natives, tls));
  const states = taken.flatMap(({ state }) => (state === undefined ? [] : [encodeState(state)]));
  let next = firstState;
  return {
    ends: taken.map(({ end, state }) => (state === undefined ? end : { ...end, tls: next++ })),
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
  tls: Tls13Connections | undefined,
): ArrivedEnds {
  const states: (Tls13State | undefined)[] = [];
  try {
    for (const end of ends) states.push(openState(end, bytes, tls));
  } catch (error) {
    for (const state of states) if (state !== undefined) wipeState(state);
    throw error;
  }
  return {
    begin: () =>
      ends.map((end, index) => {
        const packed = unpackEnd(end, handles[index]!);
        const state = states[index];
        return state === undefined ? HandleTransport.unpack(packed) : tls!.continue(packed, state);
      }),
    drop: () => {
      for (const state of states) if (state !== undefined) wipeState(state);
      closeAll(handles);
    },
  };
}

/** Why one of them has to stay, as far as that is known without touching it. */
function findObstacle(transports: readonly Transport[], tls: Tls13Connections | undefined): StayReason | undefined {
  for (const [index, transport] of transports.entries()) {
    if (isPlain(transport) || transport instanceof Tls13Transport) {
      if (!transport.isQuiet) return 'pending';
    } else if (!transport.isTls) return 'unknown';
    else if (index > 0) return 'upstreamTls';
    else if (!isNative(transport) || tls?.isRight !== true) return 'tls';
  }
  return undefined;
}

/** What was accepted while the fast path had not been tried is a stream of Node's. */
function isPlain(transport: Transport): transport is HandleTransport | StreamTransport {
  return transport instanceof HandleTransport || (transport instanceof StreamTransport && !transport.isTls);
}

function isNative(transport: Transport): transport is TlsTransport | StreamTransport {
  return transport instanceof TlsTransport || (transport instanceof StreamTransport && transport.isTls);
}

function takeNatives(transports: readonly Transport[], tls: Tls13Connections | undefined): TakenNative[] | StayReason {
  const natives: TakenNative[] = [];
  for (const transport of transports) {
    if (!isNative(transport)) continue;
    const wasPaused = transport.isPaused;
    transport.pause();
    const taken = tls!.take(transport);
    if (typeof taken !== 'string') natives.push({ transport, wasPaused, taken });
    else {
      if (!wasPaused) transport.resume();
      for (const one of natives) {
        one.taken.restore();
        if (!one.wasPaused) one.transport.resume();
      }
      return TLS13_REJECTIONS[taken].mayPass ? 'pending' : 'tls';
    }
  }
  return natives;
}

function takeEnd(transport: Transport, natives: readonly TakenNative[], tls: Tls13Connections | undefined): TakenEnd {
  if (isPlain(transport)) {
    const { handle, ...end } = transport.pack();
    return {
      ...{ end, handle },
      keep: () => HandleTransport.unpack({ handle, ...end }),
      release: () => closeAll([handle]),
    };
  }
  if (transport instanceof Tls13Transport) {
    const { below, state } = transport.pack();
    const { handle, ...end } = below;
    return {
      ...{ end, handle, state },
      keep: () => tls!.continue(below, state),
      release: () => {
        wipeState(state);
        closeAll([handle]);
      },
    };
  }
  const { taken } = natives.find((native) => native.transport === transport)!;
  return {
    end: { hasReadEnd: false, isShutDown: false, peer: transport.peer },
    handle: taken.handle,
    state: taken.state,
    keep: () => {
      taken.restore();
      return transport;
    },
    release: () => taken.release(),
  };
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
  for (const { tls } of ends) if (tls !== undefined) bytes[tls]?.fill(0);
}

function wipeAll(states: readonly Buffer[]): void {
  for (const state of states) state.fill(0);
}

function closeAll(handles: readonly ConnectionHandle[]): void {
  for (const handle of handles) handle.close();
}
