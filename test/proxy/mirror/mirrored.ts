import net from 'node:net';
import type { MirrorReport } from '../../../core/compare/mirror-report';
import type { MirrorConfig } from '../../../proxy/mirror/mirror';
import type { TestProxy } from '../support/proxy-world';
import { callAdmin } from '../support/proxy-world';
import { until } from '../support/world';

/** A mirror that copies every safe request, unless a test says otherwise. */
export function mirrorTo(port: number, changes: Partial<MirrorConfig> = {}): MirrorConfig {
  return {
    target: { protocol: 'http', host: '127.0.0.1', port },
    share: 100,
    methods: 'safe',
    paths: [],
    never: [],
    repeatShare: 0,
    ignore: [],
    concurrency: 32,
    timeoutMs: 10_000,
    bodyBytes: 2 ** 16,
    memoryBytes: 2 ** 24,
    ...changes,
  };
}

/** The report, once nothing is under way. */
export async function findMirror(proxy: TestProxy): Promise<MirrorReport> {
  await until(() => proxy.report().mirror?.underWay === 0);
  const { status, body } = await callAdmin(proxy.admin!.port, { path: '/mirror' });
  if (status !== 200) throw new Error(`${status}: ${body}`);
  return JSON.parse(body) as MirrorReport;
}

/** The bytes of so many responses to a request, one after the other on one connection of a client that knows no HTTP but lengths. */
export async function exchangeAll(port: number, request: string, count: number): Promise<string[]> {
  const socket = net.connect(port, '127.0.0.1');
  const responses: string[] = [];
  let text = '';
  const takeOne = () => {
    const end = text.indexOf('\r\n\r\n');
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
    if (end < 0 || text.length < end + 4 + length) return false;
    responses.push(text.slice(0, end + 4 + length));
    text = text.slice(end + 4 + length);
    return true;
  };
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`closed behind ${responses.length} responses`)));
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (!takeOne()) return;
      if (responses.length < count) socket.write(request);
      else resolve();
    });
    socket.write(request);
  });
  socket.destroy();
  return responses;
}
