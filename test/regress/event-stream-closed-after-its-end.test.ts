import { EventStream } from '../../proxy/data-plane/streams/event-stream';

test('behind the last chunk of a stream that its upstream has ended nothing is written', async () => {
  const calls: string[] = [];
  const stream = new EventStream(
    {
      write: (bytes) => calls.push(bytes.toString()),
      endStream: () => calls.push('end'),
      leaveUpstream: () => calls.push('leave'),
      overdue: () => calls.push('overdue'),
    },
    false,
  );
  stream.take(Buffer.from('data: 1\n\n'));
  stream.onEnd();
  const closed = stream.close();
  stream.onClose();
  await closed;
  expect(calls).toEqual(['data: 1\n\n']);
});
