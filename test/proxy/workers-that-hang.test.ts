import { readFileSync } from 'node:fs';
import { ProxyBundle, bundleProxy, childrenOf, listening } from './support/proxy-process';
import { callAdmin } from './support/proxy-world';
import { stopAll, until } from './support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const REASON = 'worker 2 did not answer within 2 s';

function numberOf(pid: number): number {
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
  return Number(/(?:^|\0)DRAINSHIFT_WORKER_NUMBER=(\d+)/.exec(environment)?.[1]);
}

test('a worker that hangs is named to who asks and in the log, and all is well when it goes on', async () => {
  const proxy = bundle.run([
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '2'],
    ...['--upstream', 'http://127.0.0.1:1'],
  ]);
  const { admin } = await listening(proxy);
  const second = childrenOf(proxy.child).find((pid) => numberOf(pid) === 2)!;
  process.kill(second, 'SIGSTOP');
  for (const path of ['/drain-status', '/metrics']) {
    const answer = await callAdmin(admin, { path });
    expect(answer).toMatchObject({ status: 500, headers: { 'content-type': 'application/json' } });
    expect(JSON.parse(answer.body)).toEqual({ problems: [REASON] });
  }
  const logged = () => proxy.lines.filter(({ msg }) => msg === 'A call to the workers failed');
  await until(() => logged().length === 2);
  expect(logged()).toMatchObject([{ err: { message: REASON } }, { err: { message: REASON } }]);
  process.kill(second, 'SIGCONT');
  expect(await callAdmin(admin, { path: '/drain-status' })).toMatchObject({ status: 200 });
});
