import type { OwnClientsTally } from '../load-balancer/counting/own-clients';
import { TrafficTally, brokenConditions } from '../traffic/counting/tally';

const number = (value: number) => value.toLocaleString('en-US');
const count = (amount: number, one: string, many: string) => `${number(amount)} ${amount === 1 ? one : many}`;

/** What the clients lost, in words, worst first; empty when nothing was. */
export function findLosses(tally: TrafficTally): string[] {
  const { http, websocket, serverSentEvents, streaming } = tally;
  const lost = [
    [http.failed, `${number(http.failed)} of ${count(http.sent, 'request', 'requests')} failed`],
    [websocket.lost, `${count(websocket.lost, 'WebSocket message', 'WebSocket messages')} lost`],
    [websocket.dropped, `${count(websocket.dropped, 'WebSocket', 'WebSockets')} dropped`],
    [websocket.duplicated, `${count(websocket.duplicated, 'WebSocket message', 'WebSocket messages')} doubled`],
    [websocket.outOfOrder, `${count(websocket.outOfOrder, 'WebSocket message', 'WebSocket messages')} out of order`],
    [serverSentEvents.lost, `${count(serverSentEvents.lost, 'event', 'events')} of event streams lost`],
    [serverSentEvents.dropped, `${count(serverSentEvents.dropped, 'event stream', 'event streams')} dropped`],
    [serverSentEvents.duplicated, `${count(serverSentEvents.duplicated, 'event', 'events')} of event streams doubled`],
    [streaming.cut, `${count(streaming.cut, 'streaming response', 'streaming responses')} cut`],
    [streaming.truncated, `${count(streaming.truncated, 'streaming response', 'streaming responses')} truncated`],
    [streaming.wrong, `${count(streaming.wrong, 'streaming response', 'streaming responses')} wrong`],
  ] as const;
  const said = lost.filter(([amount]) => amount > 0).map(([, words]) => words);
  if (said.length > 0) return said;
  // No fault was counted, and yet the books do not balance.
  return brokenConditions(tally).map((condition) => `not so: ${condition}`);
}

/** The same of a user's own clients: a failure on the path is a loss, of any client. */
export function lossesOfYours({ requests, failed, webSockets: { dropped } }: OwnClientsTally): string[] {
  const lost = [
    [failed, `${number(failed)} of ${count(requests, 'request', 'requests')} of your own clients failed`],
    [dropped, `${count(dropped, 'WebSocket', 'WebSockets')} of your own clients dropped`],
  ] as const;
  return lost.filter(([amount]) => amount > 0).map(([, words]) => words);
}
