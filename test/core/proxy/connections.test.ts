import { ENDINGS, NO_CONNECTIONS, addEndings, addKinds, total } from '../../../core/proxy/connections';

test('sums are by kind, and by ending', () => {
  const a = { ...NO_CONNECTIONS, http: 1, websocket: 2 };
  const b = { ...NO_CONNECTIONS, websocket: 3, streaming: 4 };
  expect(addKinds(a, b)).toEqual({ ...NO_CONNECTIONS, http: 1, websocket: 5, streaming: 4 });
  expect(total(addKinds(a, b))).toBe(10);
  const ended = { completed: 1, moved: 2, closed: 3, forced: 4 };
  expect(addEndings(ended, { completed: 10, moved: 20, closed: 30, forced: 40 })).toEqual({
    completed: 11,
    moved: 22,
    closed: 33,
    forced: 44,
  });
  expect(ENDINGS).toEqual(Object.keys(ended));
});
