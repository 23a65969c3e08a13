import { listProblems, read } from '../support/settings';

const upstream = 'http://a';

test('moves are read from a file and from variables', () => {
  const file = {
    upstream,
    moves: 'all',
    move_timeout_seconds: 0.5,
    moves_never: ['/ws/Once*', 'X-Ticket', 'x-login=basic *'],
  };
  const environment = { DRAINSHIFT_MOVE_CONCURRENCY: '8', DRAINSHIFT_WEBSOCKET_NO_CONTEXT_TAKEOVER: 'true' };
  expect(read({ file, environment }).moves).toEqual({
    mode: 'all',
    timeoutMs: 500,
    concurrency: 8,
    never: ['/ws/once*', 'x-ticket', 'x-login=basic *'],
    dropsContextTakeover: true,
    adapters: { names: ['socket.io', 'graphql-transport-ws'], rules: [] },
  });
});

test('each mistake in them has a line', () => {
  const file = { upstream, moves: 'some', move_timeout_seconds: 0, move_concurrency: 0, moves_never: ['no path'] };
  expect(listProblems({ file })).toEqual([
    `'moves' must be one of none, resumable, all, got "some"`,
    "'move_timeout_seconds' must be a number from 0.01 to 600, got 0",
    "'move_concurrency' must be an integer from 1 to 10000, got 0",
    `'moves_never' must be paths with * for anything, names of header fields, or NAME=VALUE with * for anything, got ["no path"]`,
  ]);
});
