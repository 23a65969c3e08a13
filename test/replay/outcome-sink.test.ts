import type { HttpMessage } from '../../core/capture/http-message';
import { OutcomeSink } from '../../replay/outcome-sink';

const message = (startLine: string): HttpMessage => ({
  raw: Buffer.from(startLine),
  headBytes: startLine.length,
  startLine,
  headers: [],
  framing: { kind: 'none' },
  firstByteMs: 0,
  lastByteMs: 0,
});

function take(sink: OutcomeSink, method: string, recorded: number | undefined, ...got: number[]): void {
  sink.take({
    id: `c.${method}`,
    request: message(`${method} /a HTTP/1.1`),
    response: recorded === undefined ? undefined : message(`HTTP/1.1 ${recorded} X`),
    sent: undefined,
    targetResponses: got.map((status) => ({
      status,
      reason: '',
      headers: [],
      body: Buffer.alloc(0),
      isCut: false,
      elapsedMs: 1,
    })),
    errors: [],
  });
}

test('a write that succeeds on one side alone is counted, by its last response; the first is kept', () => {
  const sink = new OutcomeSink();
  take(sink, 'POST', 201, 503, 201);
  take(sink, 'PUT', 404, 409);
  take(sink, 'GET', 200, 500);
  take(sink, 'POST', undefined, 500);
  take(sink, 'POST', 201);
  expect(sink).toMatchObject({ differing: 0, first: undefined });
  take(sink, 'DELETE', 204, 401);
  take(sink, 'POST', 409, 201);
  expect(sink).toMatchObject({ differing: 2, first: { replayed: { id: 'c.DELETE' }, recorded: 204, got: 401 } });
});
