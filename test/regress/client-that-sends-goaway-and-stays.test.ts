import { GET, GOAWAY, frame, frameClient, headers } from '../proxy/data-plane/http2/support/frames';
import { respondWith, startSessions } from '../proxy/data-plane/http2/support/sessions';
import { stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

/** `node:http2` ends its half of such a connection then, and waits for the client's without a limit. */
test.each(['http', 'https'] as const)(
  'a client of %s that says GOAWAY and never closes its connection does not keep it',
  async (protocol) => {
    const isTls = protocol === 'https';
    const { port, sessions, notified } = await startSessions({ isTls, timeouts: { clientIdleMs: 200 } });
    const client = await frameClient(port, protocol);
    client.send(headers(1, GET, true));
    await until(() => notified.length === 1);
    respondWith(notified[0]!, 'one');
    client.send(frame(GOAWAY, 0, 0, Buffer.alloc(8)));
    await until(() => client.isClosed);
    await until(() => sessions.size === 0);
  },
);
