import { GrpcMessages, GrpcWatch, grpcResponse, isGrpcContent } from '../../../../proxy/data-plane/streams/grpc';

function message(length: number): Buffer {
  const bytes = Buffer.alloc(5 + length, 'm');
  bytes[0] = 0;
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

test.each([1, 2, 3, 4, 5, 6, 7, 1000])('messages are counted in pieces of %d bytes', (size) => {
  const bytes = Buffer.concat([message(0), message(3), message(300), message(0)]);
  const messages = new GrpcMessages();
  for (let at = 0; at < bytes.length; at += size) messages.scan(bytes.subarray(at, at + size));
  expect([messages.started, messages.complete, messages.isAtBoundary]).toEqual([4, 4, true]);
  messages.scan(message(2).subarray(0, 6));
  expect([messages.started, messages.complete, messages.isAtBoundary]).toEqual([5, 4, false]);
});

test('a length of four gigabytes is no negative one', () => {
  const messages = new GrpcMessages();
  messages.scan(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
  messages.scan(Buffer.alloc(100));
  expect([messages.started, messages.complete]).toEqual([1, 0]);
});

test('a unary call is no stream, however long it takes to respond', () => {
  const watch = new GrpcWatch();
  expect(watch.upload(message(10))).toBe(false);
  watch.uploadEnded();
  expect(watch.isStream(0)).toBe(false);
  expect(watch.isStream(60_000)).toBe(false);
  watch.responseStarted(60_000);
  expect(watch.respond(message(5))).toBe(false);
  expect(watch.isStream(60_999)).toBe(false);
});

test('a second message in either direction makes a stream', () => {
  const up = new GrpcWatch();
  up.upload(message(1));
  expect(up.upload(message(1))).toBe(true);
  const down = new GrpcWatch();
  down.upload(message(1));
  down.uploadEnded();
  expect(down.respond(message(1))).toBe(false);
  expect(down.respond(message(1).subarray(0, 1))).toBe(true);
  expect(down.isStream(0)).toBe(true);
});

test('so does a response to a request that goes on', () => {
  const watch = new GrpcWatch();
  watch.upload(message(1));
  expect(watch.respond(message(1))).toBe(true);
});

test('so does a request that stays open behind its message', () => {
  const watch = new GrpcWatch();
  watch.upload(message(1));
  expect(watch.isStream(100)).toBe(false);
  expect(watch.isStream(1_099)).toBe(false);
  expect(watch.isStream(1_100)).toBe(true);
});

test('so does a response that stays open, but not in the middle of its first message', () => {
  const silent = new GrpcWatch();
  silent.upload(message(1));
  silent.uploadEnded();
  silent.responseStarted(0);
  expect(silent.isStream(999)).toBe(false);
  expect(silent.isStream(1_000)).toBe(true);
  const slow = new GrpcWatch();
  slow.uploadEnded();
  slow.responseStarted(0);
  slow.respond(message(100).subarray(0, 50));
  expect([slow.isStream(5_000), slow.isAtBoundary]).toEqual([false, false]);
  slow.respond(Buffer.alloc(55));
  expect([slow.isStream(5_000), slow.isAtBoundary]).toEqual([true, true]);
});

test.each([
  ['application/grpc', true],
  ['application/grpc+proto', true],
  ['application/grpc; charset=utf-8', true],
  ['Application/gRPC', true],
  ['application/grpc-web', false],
  ['application/grpc-web+proto', false],
  ['application/grpcs', false],
  [undefined, false],
])('%s is gRPC: %s', (type, expected) => {
  expect(isGrpcContent(type)).toBe(expected);
});

test.each([
  [503, '14'],
  [502, '14'],
  [504, '14'],
  [429, '14'],
  [400, '13'],
  [401, '16'],
  [403, '7'],
  [404, '12'],
  [418, '2'],
])('a response with %d is a status %s', (status, expected) => {
  const headers = { 'Retry-After': '2', 'Content-Type': 'text/plain', connection: 'close' };
  expect(grpcResponse({ status, headers, body: '50 % größer\n' })).toEqual({
    'content-type': 'application/grpc',
    'retry-after': '2',
    'grpc-status': expected,
    'grpc-message': '50 %25 gr%C3%B6%C3%9Fer',
  });
});
