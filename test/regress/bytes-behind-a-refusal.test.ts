import type { PlaneContext } from '../../proxy/data-plane/shared/context';
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from '../../proxy/data-plane/engine/engine';
import { Http1Client } from '../../proxy/data-plane/http1/http1-client';
import { Ledger } from '../../proxy/data-plane/contract/ledger';
import { FakeWire } from '../proxy/data-plane/websocket/support/fake-wire';

test('what comes behind a refusal that has not left yet is not served', () => {
  const seen: string[] = [];
  const wire = new FakeWire();
  const context = {
    options: {
      ledger: new Ledger(),
      route: ({ url }: { url: string }) => {
        seen.push(url);
        return { answer: { status: 200 } };
      },
      refused: ({ status }: { status: number }) => seen.push(`refused ${status}`),
    },
    timeouts: DEFAULT_TIMEOUTS,
    limits: DEFAULT_LIMITS,
    ticker: { nowMs: 0, add: () => undefined, remove: () => undefined },
    faulted: (error: unknown) => {
      throw error;
    },
  } as unknown as PlaneContext;
  const client = new Http1Client(context, { left: () => undefined, isHttp2: () => undefined }, wire);
  wire.isBackedUp = true;
  wire.hasPending = true;
  wire.receive(Buffer.from('GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'));
  wire.receive(Buffer.from('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'));
  for (let ms = 0; ms < 60_000; ms += 10_000) client.tick(ms);
  wire.isBackedUp = false;
  wire.hasPending = false;
  wire.drain();
  expect(seen).toEqual(['refused 400']);
  expect(wire.written.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
});
