import { findKey, parseKeyRule } from '../../../core/replay/key';
import { assemble, eom, part, put, read } from '../../support/recorded';

const request = (text: string, connectionId = 'c', nodeId = 'n') =>
  assemble([part(0, [read(0, text), eom(0)], { connectionId, nodeId })]).requests[0]!;
const key = (rule: string, text: string) => findKey(parseKeyRule(rule)!, request(text));

test('a request has the key that its rule finds, and else that of its connection', () => {
  expect(key('all', put('/a', ''))).toBe('all:');
  expect(key('/carts/{key}', put('/carts/7/items?x=1', ''))).toBe('path:7');
  expect(key('/carts/{key}/', put('/carts/7', ''))).toBe('path:7');
  expect(key('/*/{key}/{key}', put('/v1/a/b/c', ''))).toBe('path:a/b');
  expect(key('/carts/{key}', put('http://host/carts/7', ''))).toBe('path:7');
  expect(key('/carts/{key}', put('/carts/', ''))).toBe('connection:c');
  expect(key('/carts/{key}', put('/orders/7', ''))).toBe('connection:c');
  expect(key('header:HOST', put('/', '', 'tenant'))).toBe('header:tenant');
  expect(key('header:x-none', put('/', ''))).toBe('connection:c');
  expect(key('json:/order/id', put('/', '{"order":{"id":7}}'))).toBe('json:7');
  // A number and a text are not one key.
  expect(key('json:/order/id', put('/', '{"order":{"id":"7"}}'))).toBe('json:"7"');
  expect(key('json:/order/id', put('/', 'no json'))).toBe('connection:c');
});

test('streams that our proxy recorded of one connection have one key; those of others have their own', () => {
  const of = (connectionId: string) => findKey({ kind: 'connection' }, request(put('/', ''), connectionId, 'node'));
  expect([of('node.7.1'), of('node.7.2'), of('node.7')]).toEqual(Array(3).fill('connection:node.7'));
  expect(of('node.8')).toBe('connection:node.8');
  expect(of('0242ac-77.1')).toBe('connection:0242ac-77.1');
});

test.each([
  '',
  'none',
  '/carts',
  '/carts/{id}',
  '/carts/x{key}',
  'header:',
  'header:a b',
  'json:',
  'json:id',
  'json:/~2',
])('%j is no rule', (text) => expect(parseKeyRule(text)).toBeUndefined());
