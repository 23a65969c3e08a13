import type { CaptureEvent } from '../../../core/capture/connection-assembly';
import { RecordedFrames, findMessages, markMessages } from '../../../core/capture/websocket-part';
import { assemble, at, close, eom, part, read, write } from '../../support/recorded';

const rest = { connectionId: 'n.1', nodeId: 'n', priorRequests: 1 };
const mark = [read(3, ''), at(3, { kind: 'dropped' })];
const dropped = at(3, { kind: 'dropped' });
const GET = 'GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n';
const handshake = part(0, [read(0, GET), eom(0), write(1, 'HTTP/1.1 101 Switching Protocols\r\n\r\n')], {
  ...rest,
  priorRequests: 0,
});

function listMessages(events: readonly CaptureEvent[]): string[] {
  return events.flatMap((event) =>
    event.kind === 'message' ? [`${event.message.from} ${event.message.type} ${event.message.payload.length}`] : [],
  );
}

test('a part with messages is known by what it begins with', () => {
  expect(findMessages([...markMessages(5n), write(4, 'x')])).toEqual([write(4, 'x')]);
  expect(findMessages([read(0, 'GET'), dropped])).toBeUndefined();
  expect(findMessages([read(0, ''), eom(0)])).toBeUndefined();
  expect(findMessages([])).toBeUndefined();
});

test('frames are read wherever they are cut, with lengths of each form and with a mask', () => {
  const frames = Buffer.concat([
    Buffer.from([0x81, 0x02, 0x68, 0x69]),
    Buffer.from([0x82, 0x83, 1, 2, 3, 4, 0x61 ^ 1, 0x62 ^ 2, 0x63 ^ 3]),
    Buffer.concat([Buffer.from([0x81, 126, 0, 200]), Buffer.alloc(200, 'x')]),
    Buffer.concat([Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 3]), Buffer.from('end')]),
    Buffer.from([0x88, 0x00]),
  ]);
  for (const size of [1, 3, 50, 1_000]) {
    const reader = new RecordedFrames(100);
    const seen: string[] = [];
    for (let from = 0; from < frames.length; from += size)
      reader.push(frames.subarray(from, from + size), (opcode, payload) =>
        seen.push(`${opcode} ${Buffer.from(payload).toString()}`),
      );
    // One is too long.
    expect(seen).toEqual(['1 hi', '2 abc', '1 ', '1 end', '8 ']);
    expect(reader.heldBytes).toBe(0);
  }
});

test('messages are no requests, whatever they look like and whatever is missing before them', () => {
  const request = 'PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n';
  const client = `\x81${String.fromCharCode(0x80 | request.length)}\0\0\0\0${request}`;
  const parts = [
    handshake,
    part(1, [...mark, read(3, client), dropped], rest),
    part(2, [...mark, write(70_000, '\x81\x02hi')], rest),
    part(3, [...mark, close(70_001)], { ...rest, isLast: true }),
  ];
  const whole = assemble(parts);
  expect(listMessages(whole.events)).toEqual([`client text ${request.length}`, 'backend text 2']);
  const counts = { webSocketMessages: 2, strayBytes: 0, dropped: 0, aborted: 0, missing: 0, expired: 0 };
  expect([whole.requests.length, whole.assembler.counts]).toEqual([1, { ...counts, duplicates: 0 }]);
  // Its beginning was never read, or a part between is gone.
  const middle = assemble(parts.slice(1));
  expect([middle.requests, middle.assembler.counts]).toEqual([[], { ...counts, duplicates: 0 }]);
  const gap = assemble([parts[0]!, parts[2]!, parts[3]!]);
  expect([gap.requests.length, gap.assembler.counts]).toMatchObject([1, { missing: 1, webSocketMessages: 1 }]);
});

test('a message that continues in another part is whole with it, and left out without', () => {
  // What there is of it looks like messages.
  const long = `\x81\x7d${'\x81\x00'.repeat(62)}\x81`;
  const parts = [
    handshake,
    part(1, [...mark, write(4, long.slice(0, 40))], rest),
    part(2, [...mark, write(4, long.slice(40))], { ...rest, wasReading: true }),
    part(3, [...mark, write(5, '\x81\x03end')], rest),
  ];
  expect(listMessages(assemble(parts).events)).toEqual(['backend text 125', 'backend text 3']);
  for (const missing of [1, 2]) {
    const { events, requests } = assemble(parts.filter(({ index }) => index !== missing));
    expect([requests.length, listMessages(events)]).toEqual([1, ['backend text 3']]);
  }
});
