import { matchesJson } from '../../../../../proxy/data-plane/moves/adapters/json-pointer';
import { MoveRule, createRuleAdapter, parseRuleMessages } from '../../../../../proxy/data-plane/moves/adapters/rule';
import type { Followed } from '../../../../../proxy/data-plane/moves/adapters/adapter';
import { answer, follow, handshake, say, showFirst } from './support/transcript';

const following = (rule: Omit<MoveRule, 'name'>): Followed =>
  follow(createRuleAdapter({ name: 'r', ...rule }), '/chat?a=1');

test.each([
  [{}, '/any', undefined, true],
  [{ path: '/chat' }, '/chat?room=1', undefined, true],
  [{ path: '/chat' }, '/chat/x', undefined, false],
  [{ subprotocol: 'v1' }, '/chat', 'v1', true],
  [{ subprotocol: 'v1' }, '/chat', undefined, false],
  [{ path: '/chat', subprotocol: 'v1' }, '/other', 'v1', false],
])('%j recognizes %s, %s: %s', (which, url, subprotocol, isOne) => {
  const adapter = createRuleAdapter({ name: 'r', ...which, remember: { first: 1 }, swallow: { first: 1 } });
  expect(adapter.recognizes(handshake(url, subprotocol))).toBe(isOne);
});

describe('the first messages', () => {
  const rule = { remember: { first: 2 }, swallow: { first: 2 } };

  test('are said again, and as many of the new backend are swallowed', () => {
    const followed = say(following(rule), '> hello', '< hi', '>*', '< in', '> more', '< news');
    expect(followed.isSettled).toBe(true);
    const replay = followed.replay();
    expect(replay.url).toBe('/chat?a=1');
    expect(showFirst(replay)).toEqual(['> hello', '> (3 bytes)']);
    expect(answer(replay, 'hi')).toEqual([]);
    expect(answer(replay, 'in')).toEqual(['! joined']);
  });

  test('are settled when all of them and their responses have passed', () => {
    const followed = following(rule);
    expect(followed.isSettled).toBe(true);
    expect(say(followed, '> hello').isSettled).toBe(false);
    expect(say(followed, '< hi').isSettled).toBe(false);
    expect(say(followed, '> in').isSettled).toBe(false);
    expect(say(followed, '< in').isSettled).toBe(true);
  });

  test('a greeting that the client has had is swallowed, also when it has said nothing', () => {
    const followed = say(following(rule), '< welcome');
    expect(followed.isSettled).toBe(true);
    expect(showFirst(followed.replay())).toEqual([]);
    expect(answer(followed.replay(), 'welcome')).toEqual(['! joined']);
  });

  test('none at all is a move with nothing to say', () => {
    const replay = say(following({ remember: { first: 0 }, swallow: { first: 0 } }), '> hello', '< hi').replay();
    expect(showFirst(replay)).toEqual([]);
    expect(replay.isJoined).toBe(true);
  });
});

describe('messages that match', () => {
  const rule = { remember: { pointer: '/0', equals: 'join' }, swallow: { pointer: '/0', equals: 'joined' } };

  test('are said again, one response for each is swallowed, and all else goes on', () => {
    const followed = say(
      following(rule),
      '> ["join","a"]',
      '< ["joined","a"]',
      '> ["say"]',
      '> ["join","b"]',
      '< ["joined","b"]',
    );
    const replay = followed.replay();
    expect(showFirst(replay)).toEqual(['> ["join","a"]', '> ["join","b"]']);
    expect(answer(replay, '["joined","a"]', '["news"]', '*', '["joined","b"]')).toEqual([
      '< ["news"]',
      '< (3 bytes)',
      '! joined',
    ]);
  });

  test('are settled when each has its response', () => {
    const followed = say(following(rule), '> ["join","a"]', '< ["news"]');
    expect(followed.isSettled).toBe(false);
    expect(say(followed, '< ["joined","a"]', '> ["join","b"]').isSettled).toBe(false);
    expect(say(followed, '< ["joined","b"]').isSettled).toBe(true);
  });
});

test('more than is kept is followed no longer', () => {
  const rule = { remember: { first: 2 }, swallow: { first: 0 } };
  expect(say(following(rule), `> ${'x'.repeat(70_000)}`).rejection).toBe('Its set-up has over 65536 bytes');
});

test.each([
  ['{"a":{"b":1}}', '/a/b', '1', true],
  ['{"a":{"b":1}}', '/a/b', '1.0', false],
  ['{"a/b":{"~":true}}', '/a~1b/~0', 'true', true],
  ['[null]', '/0', 'null', true],
  ['"x"', '', 'x', true],
  ['{"a":{}}', '/a', '[object Object]', false],
  ['{}', '/toString', 'x', false],
  ['{"a":[]}', '/a/length', '0', false],
  ['no JSON', '/a', '1', false],
])('%s at %s is %s: %s', (json, pointer, equals, isMatch) => {
  expect(matchesJson(json, { pointer, equals })).toBe(isMatch);
});

test.each([
  ['2', { first: 2 }],
  ['0', { first: 0 }],
  ['/type=join', { pointer: '/type', equals: 'join' }],
  ['/a/b=c=d', { pointer: '/a/b', equals: 'c=d' }],
  ['=x', { pointer: '', equals: 'x' }],
])('%s is %j', (text, messages) => expect(parseRuleMessages(text)).toEqual(messages));
