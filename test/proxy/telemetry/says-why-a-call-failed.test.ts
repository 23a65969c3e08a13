import { AdminKeys } from '../../../proxy/admin-keys/admin-keys';
import { AdminTarget, CallFailed, startAdminServer } from '../../../proxy/admin/admin-server';
import { SECRET, callAdmin } from '../support/proxy-world';
import { later, stopAll } from '../support/world';

afterEach(stopAll);

async function failingWith(error: Error) {
  const target = { rejection: () => undefined, report: () => Promise.reject(error) } as unknown as AdminTarget;
  const server = await startAdminServer({ host: '127.0.0.1', port: 0 }, new AdminKeys([SECRET]), target);
  later(() => server.close());
  return callAdmin(server.address.port, { path: '/drain-status' });
}

test('a reason that is for the operator is in the response', async () => {
  const response = await failingWith(new CallFailed('worker 2 did not respond within 2 s'));
  expect(response).toMatchObject({ status: 500, body: '{"problems":["worker 2 did not respond within 2 s"]}\n' });
});

test('no other reason is', async () => {
  expect(await failingWith(new Error('/run/secret: 0x1234'))).toMatchObject({ status: 500, body: 'The call failed\n' });
});
