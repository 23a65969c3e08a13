import type { Followed } from '../../../../../proxy/data-plane/moves/adapters/adapter';
import { GRAPHQL_TRANSPORT_WS } from '../../../../../proxy/data-plane/moves/adapters/graphql-transport-ws';
import { answer, bytes, follow, handshake, say, showFirst } from './support/transcript';

const PROTOCOL = 'graphql-transport-ws';
const INIT = '{"type":"connection_init","payload":{"token":"t"}}';
const ACK = '{"type":"connection_ack"}';
const subscribe = (id: string, query: string, more = {}) =>
  JSON.stringify({ id, type: 'subscribe', payload: { query, ...more } });
const NEWS = subscribe('1', 'subscription { news }');
const PRICES = subscribe('2', 'subscription Prices($of: ID!) { price(of: $of) }', { variables: { of: 'ö' } });

function opened(...more: string[]): Followed {
  return say(follow(GRAPHQL_TRANSPORT_WS, '/graphql?v=1', PROTOCOL), `> ${INIT}`, `< ${ACK}`, ...more);
}

test('recognizes its subprotocol, the one that the backend chose', () => {
  expect(GRAPHQL_TRANSPORT_WS.recognizes(handshake('/any', PROTOCOL))).toBe(true);
  expect(GRAPHQL_TRANSPORT_WS.recognizes(handshake('/graphql', 'graphql-ws'))).toBe(false);
  expect(GRAPHQL_TRANSPORT_WS.recognizes(handshake('/graphql'))).toBe(false);
});

describe('what is said to the new backend', () => {
  test('opens as the client did, waits for the ack, which the client has had, and subscribes under the same ids', () => {
    const replay = opened(`> ${NEWS}`, `> ${PRICES}`).replay();
    expect(replay.url).toBe('/graphql?v=1');
    expect(showFirst(replay)).toEqual([`> ${INIT}`]);
    expect(replay.isJoined).toBe(false);
    expect(answer(replay, ACK)).toEqual([`> ${NEWS}`, `> ${PRICES}`, '! joined']);
  });

  test.each([
    ['the client completed', '> {"id":"1","type":"complete"}'],
    ['the backend completed', '< {"id":"1","type":"complete"}'],
    ['the backend failed', '< {"id":"1","type":"error","payload":[{"message":"no"}]}'],
    ['the backend writes its type last', '< {"id":"1","payload":[],"type":"error"}'],
  ])('not a subscription that %s', (_, line) => {
    const followed = opened(`> ${NEWS}`, '< {"id":"1","type":"next","payload":{}}', `> ${PRICES}`, line);
    expect(answer(followed.replay(), ACK)).toEqual([`> ${PRICES}`, '! joined']);
  });

  test('an id that is used again stands for the later subscription', () => {
    const other = subscribe('1', 'subscription { other }');
    const followed = opened(`> ${NEWS}`, '> {"id":"1","type":"complete"}', `> ${other}`);
    expect(answer(followed.replay(), ACK)).toEqual([`> ${other}`, '! joined']);
  });

  test('no second time what a backend closes a connection for: opening, or an id that is in use', () => {
    const followed = opened(`> ${NEWS}`, `> ${NEWS}`, '> {"type":"connection_init","payload":{"token":"second"}}');
    expect(showFirst(followed.replay())).toEqual([`> ${INIT}`]);
    expect(answer(followed.replay(), ACK)).toEqual([`> ${NEWS}`, '! joined']);
  });

  test('nothing for a client that has said nothing', () => {
    const replay = follow(GRAPHQL_TRANSPORT_WS, '/graphql', PROTOCOL).replay();
    expect(showFirst(replay)).toEqual([]);
    expect(replay.isJoined).toBe(true);
  });

  test('pings of the new backend get their pongs', () => {
    expect(answer(opened().replay(), '{"type":"ping"}', '{"type":"pong"}', ACK)).toEqual([
      '> {"type":"pong"}',
      '! joined',
    ]);
  });

  test('what comes before the ack proves nothing', () => {
    expect(answer(opened().replay(), '{"id":"1","type":"next","payload":{}}')).toEqual([
      "! The new backend sent 'next' before its ack",
    ]);
  });
});

describe('settled', () => {
  const isSettled = (...lines: string[]) => opened(...lines).isSettled;

  test('with subscriptions open', () => expect(isSettled(`> ${NEWS}`)).toBe(true));
  test('before the client has opened, and not while it waits to be accepted', () => {
    const followed = follow(GRAPHQL_TRANSPORT_WS, '/graphql', PROTOCOL);
    expect(followed.isSettled).toBe(true);
    expect(say(followed, `> ${INIT}`).isSettled).toBe(false);
    expect(say(followed, '< {"payload":{"a":1},"type":"connection_ack"}').isSettled).toBe(true);
  });
  test.each([
    ['a query', '{ me }', {}],
    ['a mutation', 'mutation { buy }', {}],
    ['the query of several operations', 'subscription A { a } query B { b }', { operationName: 'B' }],
    ['one of several operations that is not named', 'subscription A { a } query B { b }', {}],
    ['no document', 'nonsense', {}],
  ])('not while %s is under way', (_, query, more) => {
    const line = `> ${subscribe('7', query, more)}`;
    expect(isSettled(line)).toBe(false);
    expect(isSettled(line, '< {"id":"7","type":"next","payload":{}}')).toBe(false);
    expect(isSettled(line, '< {"id":"7","type":"complete"}')).toBe(true);
    expect(isSettled(line, '> {"id":"7","type":"complete"}')).toBe(true);
  });
  test('not while a stored document is under way: it may be a mutation', () => {
    expect(isSettled('> {"id":"7","type":"subscribe","payload":{"extensions":{"persistedQuery":{}}}}')).toBe(false);
    expect(isSettled('> {"id":"7","type":"subscribe"}')).toBe(false);
  });
  test('not while the client waits for a pong', () => {
    expect(isSettled('> {"type":"ping"}')).toBe(false);
    expect(isSettled('> {"type":"ping"}', '< {"type":"pong"}')).toBe(true);
    expect(isSettled('< {"type":"pong"}', '> {"type":"ping"}')).toBe(false);
  });
});

test('more than is kept is followed no longer', () => {
  const large = subscribe('9', `subscription { a(b: "${'x'.repeat(300_000)}") }`);
  const followed = opened(`> ${large}`);
  expect(followed.rejection).toBe('Its subscriptions have over 262144 bytes');
  expect(followed.isLost).toBe(true);
});

test('subscriptions that end make room for others', () => {
  const followed = opened();
  for (let index = 0; index < 10; index += 1) {
    const large = subscribe(`${index}`, `subscription { a(b: "${'x'.repeat(100_000)}") }`);
    say(followed, `> ${large}`, `< {"id":"${index}","type":"complete"}`);
  }
  expect(followed.rejection).toBeUndefined();
});

test('what is no JSON of the protocol is followed no longer', () => {
  const followed = opened();
  followed.fromClient(bytes(1, 2));
  expect(followed.rejection).toBe('It has an encoding that is not known here');
});
