import type { MoveSettings, RequestHead } from '../contract/data-plane';
import { listValues } from '../fields/lines';
import { AdapterTap } from './adapter-tap';
import type { Handshake } from './adapters/adapter';
import { findAdapter } from './adapters/adapters';
import type { Accepted } from './move-rules';
import { flat } from './resume';
import type { MoveTap } from './tap';

/** What finds the adapter of a new connection. @param faulted told of an adapter that failed; its connection goes on without it */
export function createTapFinder(
  { adapters = [], timeoutMs }: MoveSettings,
  faulted: (error: unknown) => void,
): (accepted: Accepted) => MoveTap | undefined {
  return ({ head, url, fields }) => {
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
      return new AdapterTap(adapter, handshake, { isDeflated, filterMs: timeoutMs, faulted });
    } catch (error) {
      faulted(error);
      return undefined;
    } finally {
      asked = undefined;
    }
  };
}
