import { copyFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { ProxyBundle, bundleProxy } from '../proxy/support/proxy-process';
import { restart, startRestartable } from '../proxy/support/restart-world';
import { later, stopAll } from '../proxy/support/world';

let bundle: ProxyBundle;
beforeAll(() => {
  bundle = bundleProxy();
  copyFileSync(code(), kept());
});
afterEach(() => copyFileSync(kept(), code()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const kept = () => path.join(bundle.folder, 'kept.js');
const code = () => path.join(bundle.folder, 'proxy.js');

// The new generation had until a time of the clock of the machine: when that was set meanwhile, it had none, or as much as it liked.
test('a new generation has its time to prove itself when the clock of the machine is set', async () => {
  const store = net.createServer((socket) => {
    socket.on('error', () => undefined);
    // Later than at the first look.
    socket.on('data', () => setTimeout(() => socket.write('+PONG\r\n'), 150));
  });
  await new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve));
  later(() => void store.close());
  const { port } = store.address() as net.AddressInfo;
  const { admin, write } = await startRestartable(bundle);
  write({ session_store_url: `redis://127.0.0.1:${port}` });
  writeFileSync(code(), `const { now } = Date; Date.now = () => now() + 3600000; require(${JSON.stringify(kept())});`);
  const { status, body } = await restart({ admin });
  expect({ status, body }).toMatchObject({ status: 202 });
});
