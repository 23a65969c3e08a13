import { LagHistory } from '../../../core/replay/lag-history';
import { nameRequest, orderPlace, parseReplayOrder, parseReplayStatus } from '../../../core/replay/replay-status';
import { replayStatus } from '../../support/replay-status';

test('a status is read as it was written', () => {
  const status = replayStatus(0, { servedBy: 'source', caughtUp: 'e.7' });
  expect(parseReplayStatus(JSON.stringify(status), 'replays/a.json')).toEqual(status);
});

test.each([
  ['', ''],
  ['another version', { version: 2 }],
  ['no time', { writtenAt: 'today' }],
  ['a negative count', { parked: -1 }],
  ['another side', { servedBy: 'both' }],
  ['no history', { lags: undefined }],
])('a status with %s is rejected by name', (_, given) => {
  const text = given === '' ? '{' : JSON.stringify({ ...replayStatus(0), ...(given as object) });
  expect(() => parseReplayStatus(text, 'replays/a.json')).toThrow(
    "'replays/a.json' must be the status of a replay of version 1",
  );
});

test('an order is a short text, beside its status', () => {
  expect(orderPlace('replays/a.json')).toBe('replays/a.order.json');
  expect(parseReplayOrder('{"catchUp":"e.7"}')).toEqual({ catchUp: 'e.7' });
  for (const text of ['', 'null', '{"catchUp":7}', JSON.stringify({ catchUp: 'e'.repeat(201) })])
    expect(parseReplayOrder(text)).toBeUndefined();
});

test('a request is named by its method and path, in one line', () => {
  expect(nameRequest('n.1.0', `PUT /a\tb${'c'.repeat(300)} HTTP/1.1`, 0)).toMatchObject({
    method: 'PUT',
    recordedAt: '1970-01-01T00:00:00.000Z',
  });
  expect(nameRequest('n.1.0', `PUT /${'c'.repeat(300)} HTTP/1.1`, 0).path).toHaveLength(200);
});

test('the largest lag of each minute of an hour is kept, the latest first', () => {
  const history = new LagHistory();
  for (let minute = 0; minute < 70; minute += 1) {
    history.add(minute, 60_000 * minute);
    history.add(1_000 * minute, 60_000 * minute + 59_999);
  }
  expect(history.lags).toHaveLength(60);
  expect(history.lags.slice(0, 2)).toEqual([69_000, 68_000]);
});
