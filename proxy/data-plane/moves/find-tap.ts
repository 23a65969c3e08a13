import type { MoveSettings, RequestHead } from '../contract/data-plane';
import { listValues } from '../fields/lines';
import { AdapterTap, PackedTap } from './adapter-tap';
import type { Handshake } from './adapters/adapter';
import { findAdapter } from './adapters/adapters';
import { flat } from './resume';
import type { MoveTap } from './tap';

/** A handshake that an upstream has accepted, as far as an adapter is asked about it. */
export interface TappedHandshake {
  readonly head: RequestHead;
  /** Path and query, as they were sent. */
  readonly url: string;
  /** Those of the 101. */
  readonly fields: string;
}

/** Finds the adapter of a connection. */
export class TapFinder {
  /** @param faulted told of an adapter that failed; its connection goes on without it */
  constructor(
    private readonly settings: Pick<MoveSettings, 'adapters' | 'timeoutMs'>,
    private readonly faulted: (error: unknown) => void,
  ) {}

  /** Of a new connection; undefined where there is none. */
  find({ head, url, fields }: TappedHandshake): MoveTap | undefined {
    const { adapters = [] } = this.settings;
    if (adapters.length === 0) return undefined;
    // The connection may live for days, and its adapter with it: the head does not.
    let asked: RequestHead | undefined = head;
    const handshake: Handshake = {
      url: flat(url),
      subprotocol: listValues(fields, 'sec-websocket-protocol')[0],
      field: (name) => asked?.field(name),
    };
    try {
      const adapter = findAdapter(adapters, handshake);
      if (adapter === undefined) return undefined;
      const isDeflated = listValues(fields, 'sec-websocket-extensions').length > 0;
      return new AdapterTap(adapter, handshake, this.createOptions(isDeflated));
    } catch (error) {
      this.faulted(error);
      return undefined;
    } finally {
      asked = undefined;
    }
  }

  /** Of a connection of another process: what its `MoveTap.pack` has said; undefined where that is nothing here. */
  unpack(bytes: Buffer): MoveTap | undefined {
    try {
      const packed = JSON.parse(bytes.toString()) as PackedTap;
      const adapter = this.settings.adapters?.find(({ name }) => name === packed.name);
      if (adapter?.unpack === undefined) return undefined;
      const { url, subprotocol, isDeflated } = packed;
      const handshake: Handshake = { url, subprotocol, field: () => undefined };
      return new AdapterTap(adapter, handshake, this.createOptions(isDeflated), packed);
    } catch (error) {
      this.faulted(error);
      return undefined;
    }
  }

  private createOptions(isDeflated: boolean) {
    return { isDeflated, filterMs: this.settings.timeoutMs, faulted: this.faulted };
  }
}
