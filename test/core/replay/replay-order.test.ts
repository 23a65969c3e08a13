import { ReplayOrder } from '../../../core/replay/replay-order';

const request = (id: string, key: string, startMs: number, connection = id) => ({ id, key, connection, startMs });

function takeAll(order: ReplayOrder): string[] {
  const taken: string[] = [];
  for (let next = order.next(); next; next = order.next()) taken.push(next.id);
  return taken;
}

test('a request waits for those of its key that had ended before it, and for no others', () => {
  const order = new ReplayOrder();
  order.add(request('a', 'k', 0));
  order.add(request('overlaps', 'k', 1));
  order.end('a', 5);
  order.add(request('after', 'k', 5));
  order.add(request('elsewhere', 'l', 9));
  expect(takeAll(order)).toEqual(['a', 'overlaps', 'elsewhere']);
  order.finish('overlaps');
  expect(takeAll(order)).toEqual([]);
  order.finish('a');
  expect(takeAll(order)).toEqual(['after']);
  order.finish('after');
  order.finish('elsewhere');
  expect(order.size).toBe(0);
  // An end that is known late, of one that is finished, holds nothing up.
  order.end('a', 5);
  order.add(request('last', 'k', 20));
  expect(takeAll(order)).toEqual(['last']);
});

test('an end after the start of another one is no order', () => {
  const order = new ReplayOrder();
  order.add(request('a', 'k', 0));
  order.end('a', 5);
  order.add(request('b', 'k', 4.9));
  expect(takeAll(order)).toEqual(['a', 'b']);
});

test('requests of a connection follow each other, also where they were pipelined, and of several keys', () => {
  const order = new ReplayOrder();
  order.add(request('c.0', 'k', 0, 'c'));
  order.add(request('c.1', 'l', 0, 'c'));
  order.add(request('c.2', 'k', 0, 'c'));
  expect(takeAll(order)).toEqual(['c.0']);
  order.finish('c.0');
  expect(takeAll(order)).toEqual(['c.1']);
  order.finish('c.1');
  expect(takeAll(order)).toEqual(['c.2']);
});
