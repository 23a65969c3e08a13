import http2 from 'node:http2';
import { ProxyBundle, bundleProxy } from '../support/proxy-process';
import { endOf, restart, startRestartable } from '../support/restart-world';
import { later, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const SESSIONS = 4;
/** Of each session, at once. */
const STREAMS = 8;
const HIGHEST_STREAM = 2 ** 31 - 1;

/** A client that asks numbered questions, opens a session anew when it is asked to, and repeats what was refused (RFC 9113 section 8.7). */
class Client {
  readonly responses: string[] = [];
  readonly problems: string[] = [];
  /** The last streams that each session was told, in their order. */
  readonly goaways: number[][] = [];
  asked = 0;
  private session: http2.ClientHttp2Session | undefined;
  private isOver = false;

  constructor(
    private readonly port: number,
    private readonly name: number,
  ) {
    later(() => this.session?.destroy());
    for (let stream = 0; stream < STREAMS; stream += 1) void this.loop();
  }

  /** Resolves when each question has its response. */
  async finish(): Promise<void> {
    this.isOver = true;
    await until(() => this.responses.length + this.problems.length === this.asked);
  }

  private async loop(): Promise<void> {
    while (!this.isOver && this.problems.length === 0) {
      const path = `/${this.name}-${(this.asked += 1)}`;
      try {
        this.responses.push(await this.ask(path));
      } catch (error) {
        this.problems.push(`${path}: ${String(error)}`);
      }
    }
  }

  private async ask(path: string): Promise<string> {
    for (;;) {
      const response = await this.send(this.open(), path);
      if (response !== undefined) return response;
    }
  }

  private open(): http2.ClientHttp2Session {
    if (this.session !== undefined && !this.session.closed && !this.session.destroyed) return this.session;
    const goaways: number[] = [];
    this.goaways.push(goaways);
    const session = http2.connect(`http://127.0.0.1:${this.port}`);
    session.on('goaway', (_code: number, lastStream: number) => goaways.push(lastStream));
    session.on('error', (error) => this.problems.push(String(error)));
    return (this.session = session);
  }

  /** @returns undefined where the server says that it has not looked at it, or asked for no more on this connection */
  private send(session: http2.ClientHttp2Session, path: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path });
      let body = '';
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => (body += text));
      stream.on('error', (error: NodeJS.ErrnoException) => {
        const isUnseen =
          stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM || error.code === 'ERR_HTTP2_GOAWAY_SESSION';
        if (isUnseen) resolve(undefined);
        else reject(error);
      });
      stream.on('end', () => resolve(body));
    });
  }
}

test('sessions are asked to end in two steps: each request is served once, in this generation or in the next', async () => {
  const seen: string[] = [];
  const { proxy, port, admin } = await startRestartable(bundle, { grace_period_seconds: 60 }, (request, response) => {
    seen.push(request.url!);
    setTimeout(() => response.end(request.url), 20);
  });
  const clients = Array.from({ length: SESSIONS }, (_, name) => new Client(port, name));
  const goOn = async () => {
    const mark = clients.map(({ responses }) => responses.length);
    await until(
      () => clients.every(({ responses }, index) => responses.length > mark[index]! + 3 * STREAMS),
      () => clients.flatMap(({ problems }) => problems)[0],
    );
  };
  await goOn();
  expect(await restart({ admin })).toMatchObject({ status: 202 });
  await endOf(proxy, 1);
  await goOn();
  await Promise.all(clients.map((client) => client.finish()));
  expect(clients.flatMap(({ problems }) => problems)).toEqual([]);
  const responses = clients.flatMap((client) => client.responses);
  expect(responses.toSorted()).toEqual(
    clients.flatMap(({ asked }, name) => Array.from({ length: asked }, (_, n) => `/${name}-${n + 1}`)).toSorted(),
  );
  // What was refused had not been looked at: nothing came to the backend twice.
  expect(new Set(seen).size).toBe(seen.length);
  for (const { goaways } of clients) {
    expect(goaways).toHaveLength(2);
    expect(goaways[0]![0]).toBe(HIGHEST_STREAM);
  }
});
