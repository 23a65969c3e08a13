import type { PlaneContext } from '../../proxy/data-plane/shared/context';
import { completeTimeouts } from '../../core/proxy/settings/setting-names';
import { trustingLimits } from '../../proxy/data-plane/contract/limits';
import { Http1Client } from '../../proxy/data-plane/http1/http1-client';
import { Ledger } from '../../proxy/data-plane/contract/ledger';
import { FakeTransport } from '../proxy/data-plane/websocket/support/fake-transport';

test('what comes behind a rejection that has not left yet is not served', () => {
  const seen: string[] = [];
  const transport = new FakeTransport();
  const context = {
    options: {
      ledger: new Ledger(),
      route: ({ url }: { url: string }) => {
        seen.push(url);
        return { response: { status: 200 } };
      },
      refused: ({ status }: { status: number }) => seen.push(`refused ${status}`),
    },
    timeouts: completeTimeouts(),
    limits: trustingLimits(),
    ticker: { nowMs: 0, add: () => undefined, remove: () => undefined },
    faulted: (error: unknown) => {
      throw error;
    },
  } as unknown as PlaneContext;
  const client = new Http1Client(context, { left: () => undefined, isHttp2: () => undefined }, transport);
  transport.isBackedUp = true;
  transport.hasPending = true;
  transport.receive(Buffer.from('GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'));
  transport.receive(Buffer.from('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n'));
  for (let ms = 0; ms < 60_000; ms += 10_000) client.tick(ms);
  transport.isBackedUp = false;
  transport.hasPending = false;
  transport.drain();
  expect(seen).toEqual(['refused 400']);
  expect(transport.written.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400']);
});
