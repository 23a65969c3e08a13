import type { Response } from '../contract/data-plane';
import type { ResponseHead, EngineHead, FieldBlock } from '../contract/streams';
import { handshakeRejection, isAccepted, isSwitchTo, reject } from '../websocket/handshake';

/**
 * The switch to another protocol (RFC 9110 section 7.8), as a proxy between two endpoints has to see it: it must be sure
 * that both have switched before it stops looking for HTTP. A WebSocket has rules of its own on top.
 */

const WEBSOCKET = 'websocket';

/** The fields of this hop that ask the upstream for the same switch. */
export function upgradeLines(protocol: string): FieldBlock {
  return `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
}

/** Why a request for another protocol is not passed on. */
export function upgradeRejection(head: EngineHead): Response | undefined {
  if (head.upgrade === WEBSOCKET) return handshakeRejection(head, head.bodyLength);
  // Where it ends and the other protocol begins would be up to three readers.
  return head.bodyLength === 0 ? undefined : reject(`A request for '${head.upgrade}' must have no body`);
}

/** Whether a 101 with these fields is the switch that was asked for. */
export function isSwitch({ fields }: ResponseHead, head: EngineHead): boolean {
  if (head.upgrade === undefined) return false;
  return head.upgrade === WEBSOCKET ? isAccepted(head, fields) : isSwitchTo(head.upgrade, fields);
}

/** Whether what follows the switch has no boundaries that are known here. */
export function isOpaque({ upgrade }: EngineHead): boolean {
  return upgrade !== WEBSOCKET;
}

/** The head of a 101 as it goes to the client; `fields` are those that `isSwitch` took, and more. */
export function switchingProtocols(fields: FieldBlock): string {
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${fields}\r\n`;
}
