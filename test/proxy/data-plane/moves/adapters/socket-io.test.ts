import { SOCKET_IO } from '../../../../../proxy/data-plane/moves/adapters/socket-io';
import type { Followed } from '../../../../../proxy/data-plane/moves/adapters/adapter';
import { answer, follow, handshake, say } from './support/transcript';

const URL = '/socket.io/?EIO=4&transport=websocket';
const OPEN = '0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';
const ACCEPTED = '40{"sid":"s1","pid":"p1"}';

/** A client that is connected to the main namespace and has had one event. */
function connected(...more: string[]): Followed {
  return say(follow(SOCKET_IO, URL), `< ${OPEN}`, '> 40', `< ${ACCEPTED}`, '< 42["news",1,"1000000-0"]', ...more);
}

test.each([
  [URL, true],
  ['/chat/?transport=websocket&EIO=4', true],
  ['/socket.io/?EIO=3&transport=websocket', false],
  ['/socket.io/?EIO=4&transport=polling', false],
  ['/socket.io/', false],
])('recognizes %s: %s', (url, isOne) => {
  expect(SOCKET_IO.recognizes(handshake(url))).toBe(isOne);
});

describe('what is said to the new backend', () => {
  test('connects again with the session and the last offset, and lets the client on when the same session is there', () => {
    const replay = connected().replay();
    expect(replay.url).toBe(URL);
    expect(replay.first).toEqual([]);
    expect(answer(replay, OPEN)).toEqual(['> 40{"pid":"p1","offset":"1000000-0"}']);
    // The client's time for a ping began with the last one of the old backend.
    expect(answer(replay, ACCEPTED)).toEqual(['< 2', '! open']);
  });

  test('events that come before the session is accepted are missed ones, and come first', () => {
    const replay = connected().replay();
    answer(replay, OPEN);
    expect(answer(replay, '42["news",2,"1010000-0"]', '42["news",3,"1020000-0"]')).toEqual([]);
    expect(answer(replay, ACCEPTED)).toEqual([
      '< 42["news",2,"1010000-0"]',
      '< 42["news",3,"1020000-0"]',
      '< 2',
      '! open',
    ]);
  });

  test('what the client has had is dropped, before and after, with its attachments', () => {
    const replay = connected('< 451-["file",{"_placeholder":true,"num":0},"1010000-0"]', '<*').replay();
    answer(replay, OPEN);
    const again = ['42["news",1,"1000000-0"]', '451-["file",{"_placeholder":true,"num":0},"1010000-0"]', '*'];
    expect(answer(replay, ...again, '42["news",2,"1020000-0"]')).toEqual([]);
    expect(answer(replay, ACCEPTED)).toEqual(['< 42["news",2,"1020000-0"]', '< 2', '! open']);
    expect(answer(replay, ...again, '42["news",2,"1020000-0"]', '42["news",3,"1030000-0"]')).toEqual([
      '< 42["news",3,"1030000-0"]',
    ]);
  });

  test('within attachments is no time to stop dropping', () => {
    const replay = connected('< 451-["file",{"_placeholder":true,"num":0},"1010000-0"]', '<*').replay();
    answer(replay, OPEN, ACCEPTED);
    answer(replay, '452-["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},"1010000-0"]', '*');
    expect(replay.isWithin).toBe(true);
    answer(replay, '*');
    expect(replay.isWithin).toBe(false);
  });

  test('the offset goes on with what a replay passed, so that the next one starts there', () => {
    const followed = connected();
    answer(followed.replay(), OPEN, '42["news",2,"1010000-0"]', ACCEPTED, '42["news",3,"1020000-0"]');
    expect(answer(followed.replay(), OPEN)).toEqual(['> 40{"pid":"p1","offset":"1010000-0"}']);
  });

  test('each namespace has its own session and offset, and its credentials', () => {
    const followed = say(
      connected(),
      '> 40/chat,{"token":"t","pid":"old","offset":"old"}',
      '< 40/chat,{"sid":"s2","pid":"p2"}',
      '< 42/chat,["hello","7-1"]',
    );
    const replay = followed.replay();
    expect(answer(replay, OPEN)).toEqual([
      '> 40{"pid":"p1","offset":"1000000-0"}',
      '> 40/chat,{"token":"t","pid":"p2","offset":"7-1"}',
    ]);
    expect(answer(replay, '42/chat,["hello","7-2"]', '42["news",2,"1010000-0"]')).toEqual([]);
    expect(answer(replay, '40/chat,{"sid":"s2","pid":"p2"}')).toEqual(['< 42/chat,["hello","7-2"]']);
    expect(answer(replay, '42/chat,["hello","7-3"]')).toEqual(['< 42/chat,["hello","7-3"]']);
    expect(answer(replay, ACCEPTED)).toEqual(['< 42["news",2,"1010000-0"]', '< 2', '! open']);
  });

  test('a namespace that was left is not connected again', () => {
    const followed = say(connected(), '> 40/a,', '< 40/a,{"sid":"s2","pid":"p2"}', '< 42/a,["x","1-1"]', '> 41/a,');
    expect(answer(followed.replay(), OPEN)).toEqual(['> 40{"pid":"p1","offset":"1000000-0"}']);
    say(followed, '< 41');
    expect(answer(followed.replay(), OPEN)).toEqual(['< 2', '! open']);
  });

  test('pings of the new backend get pongs until the client can send them', () => {
    const replay = connected().replay();
    answer(replay, OPEN);
    expect(answer(replay, '2')).toEqual(['> 3']);
    answer(replay, ACCEPTED);
    expect(answer(replay, '2', '6')).toEqual(['< 2', '< 6']);
  });
});

describe('no continuity', () => {
  test.each([
    ['another session', ['40{"sid":"s9","pid":"p9"}'], 'The new backend has not recovered the session of namespace /'],
    ['a rejected namespace', ['44{"message":"no"}'], 'The new backend rejected namespace /'],
    ['a namespace that is closed', ['41'], 'The new backend rejected namespace /'],
    ['a session that ends', ['1'], 'The new backend closed the session'],
    ['a second opening', [OPEN], 'The new backend opened twice'],
    ['bytes of no event', ['*'], 'The new backend sent bytes that belong to nothing'],
    ['another protocol', ['4hello'], 'The new backend does not speak socket.io 4'],
  ])('%s', (_, lines, why) => {
    const replay = connected().replay();
    answer(replay, OPEN);
    expect(answer(replay, ...lines)).toEqual([`! ${why}`]);
  });

  test('events of a session that was not recovered do not reach the client', () => {
    const replay = connected().replay();
    answer(replay, OPEN);
    expect(answer(replay, '42["welcome","2000000-0"]', '40{"sid":"s9","pid":"p9"}')).toEqual([
      '! The new backend has not recovered the session of namespace /',
    ]);
  });

  test.each([
    [
      '0{"sid":"e","pingInterval":45000,"pingTimeout":1}',
      'The new backend pings every 45000 ms, and the client waits for 45000 ms',
    ],
    ['0{"sid":"e"}', 'The new backend does not speak engine.io 4'],
  ])('an opening that does not fit: %s', (open, why) => {
    expect(answer(connected().replay(), open)).toEqual([`! ${why}`]);
  });

  test('more than fits into what is kept for the client', () => {
    const replay = connected().replay();
    answer(replay, OPEN);
    const large = (index: number) => `42["${'x'.repeat(2 ** 18)}","${200 + index}0000-0"]`;
    expect(answer(replay, ...Array.from({ length: 4 }, (_, index) => large(index)))).toEqual([
      '! It missed more than 1048576 bytes',
    ]);
  });
});

describe('settled', () => {
  const isSettled = (...lines: string[]) => connected(...lines).isSettled;

  test('with nothing open', () => expect(isSettled()).toBe(true));
  test('not before the backend has opened', () => expect(follow(SOCKET_IO, URL).isSettled).toBe(false));
  test('not while a namespace waits to be accepted', () => {
    expect(isSettled('> 40/chat,')).toBe(false);
    expect(isSettled('> 40/chat,', '< 44/chat,{"message":"no"}')).toBe(true);
  });
  test.each([
    ['> 427["save"]', '< 437[]'],
    ['> 42/chat,7["save"]', '< 43/chat,7[1]'],
    ['> 451-7["save",{"_placeholder":true,"num":0}]', '>*', '< 461-7[{"_placeholder":true,"num":0}]', '<*'],
    ['< 4212["ask"]', '> 4312["yes"]'],
  ])('not while an ack is open: %s', (...lines) => {
    const chat = ['> 40/chat,', '< 40/chat,{"sid":"s2","pid":"p2"}'];
    for (let count = 1; count < lines.length; count += 1)
      expect(isSettled(...chat, ...lines.slice(0, count))).toBe(false);
    expect(isSettled(...chat, ...lines)).toBe(true);
  });
  test('acks of the two ends are not taken for each other, nor those of two namespaces', () => {
    expect(isSettled('> 420["save"]', '< 420["ask"]', '> 430[]')).toBe(false);
    expect(isSettled('> 420["save"]', '< 430[]')).toBe(true);
    expect(isSettled('> 40/b,', '< 40/b,{"sid":"s2","pid":"p2"}', '> 420["save"]', '< 43/b,0[]')).toBe(false);
  });
  test('open acks end with their namespace', () => {
    expect(isSettled('> 40/b,', '< 40/b,{"sid":"s2","pid":"p2"}', '> 42/b,0["save"]', '> 41/b,')).toBe(true);
  });
  test('not within attachments', () => {
    expect(
      isSettled('< 452-["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},"1010000-0"]', '<*'),
    ).toBe(false);
  });
});

describe('refused before anything is touched', () => {
  test.each([
    ['a server without recovery', ['< 40{"sid":"s1"}'], 'Its server has no connectionStateRecovery for namespace /'],
    ['no event so far', [`< ${ACCEPTED}`], 'No event of namespace / has come that it could go on after'],
    [
      'an event with an ack alone',
      [`< ${ACCEPTED}`, '< 420["ask","1-1"]'],
      'No event of namespace / has come that it could go on after',
    ],
    ['another parser', ['<*'], 'It has an encoding that is not known here'],
    ['no packet', ['< 4x'], 'It has an encoding that is not known here'],
  ])('%s', (_, lines, why) => {
    expect(say(follow(SOCKET_IO, URL), `< ${OPEN}`, '> 40', ...lines).rejection).toBe(why);
  });

  test('a session that began with long polling: its namespaces never passed here', () => {
    const followed = say(follow(SOCKET_IO, `${URL}&sid=e`), '> 2probe', '< 3probe', '> 5');
    expect(followed.rejection).toBe('It began with long polling, so that its session is not known');
    expect(followed.isLost).toBe(true);
  });

  test.each([
    ['namespaces', (index: number) => `> 40/${index},`, 'It is connected to over 64 namespaces'],
    [
      'credentials',
      (index: number) => `> 40/${index},{"token":"${'x'.repeat(4096)}"}`,
      'It connected with over 65536 bytes of credentials',
    ],
    ['open acks', (index: number) => `> 42${index}["save"]`, 'Over 1000 of its acks are open'],
  ])('too many %s', (_, line, why) => {
    const followed = connected(...Array.from({ length: 1_001 }, (__, index) => line(index)));
    expect(followed.rejection).toBe(why);
    expect(followed.isLost).toBe(true);
  });

  test('nothing, once there are a session and an offset', () => expect(connected().rejection).toBeUndefined());
});

describe('offsets', () => {
  // The one before the last event.
  const offsetOf = (...lines: string[]) => answer(connected(...lines, '< 42["later","1030000-0"]').replay(), OPEN)[0];

  test.each([
    ['volatile events with a text of their own', '< 42["tick","running"]', '1000000-0'],
    ['events that want an ack', '< 427["ask","1010000-0"]', '1000000-0'],
    ['events without a text at the end', '< 42["news",{"a":"b"}]', '1000000-0'],
    ['a text that looks like the end of one', '< 42["news","a\\",\\"1010000-0\\""]', '1000000-0'],
    ['those of text and bytes', '< 42["news","ö","1010000-0"]', '1010000-0'],
    ['those of binary events', '< 451-["file",{"_placeholder":true,"num":0},"1010000-0"]', '1010000-0'],
    ['those that come late, behind a later one', '< 42["news",2,"999500-5"]', '1000000-0'],
  ])('%s', (_, line, offset) => {
    const lines = line.includes('_placeholder') ? [line, '<*'] : [line];
    expect(offsetOf(...lines, ...(line.startsWith('< 427') ? ['> 437[]'] : []))).toBe(
      `> 40{"pid":"p1","offset":"${offset}"}`,
    );
  });

  test('what came late is known, too, when it is said again', () => {
    const replay = connected('< 42["news",2,"999500-5"]').replay();
    answer(replay, OPEN, ACCEPTED);
    expect(answer(replay, '42["news",2,"999500-5"]')).toEqual([]);
  });

  test('a new backend begins where nothing could be on its way any more, and what is older than that is no news', () => {
    const replay = connected('< 42["news",2,"1010000-0"]', '< 42["news",3,"1010400-0"]').replay();
    expect(answer(replay, OPEN)).toEqual(['> 40{"pid":"p1","offset":"1000000-0"}']);
    const missed = [
      '42["to a room that it was not in yet","1005000-0"]',
      '42["late","1010100-0"]',
      '42["news",4,"1020000-0"]',
    ];
    expect(answer(replay, ...missed, ACCEPTED)).toEqual([
      '< 42["late","1010100-0"]',
      '< 42["news",4,"1020000-0"]',
      '< 2',
      '! open',
    ]);
  });

  test('of many events in a short time none is said twice', () => {
    const event = (index: number) => `42["news",${index},"${2_000_000 + index}-0"]`;
    const events = Array.from({ length: 400 }, (_, index) => event(index));
    const replay = connected(...events.map((line) => `< ${line}`)).replay();
    expect(answer(replay, OPEN)).toEqual(['> 40{"pid":"p1","offset":"2000144-0"}']);
    expect(answer(replay, ...events, event(400), ACCEPTED)).toEqual([`< ${event(400)}`, '< 2', '! open']);
  });

  test('of an adapter with another form the last one counts', () => {
    const followed = say(
      follow(SOCKET_IO, URL),
      `< ${OPEN}`,
      '> 40',
      `< ${ACCEPTED}`,
      '< 42["a","PxYz123"]',
      '< 42["b","PxYz123.0"]',
    );
    expect(answer(followed.replay(), OPEN)).toEqual(['> 40{"pid":"p1","offset":"PxYz123.0"}']);
  });
});
