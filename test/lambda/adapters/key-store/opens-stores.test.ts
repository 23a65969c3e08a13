import { keyStoresPort } from '../../../../lambda/adapters/key-store/key-stores';
import { describeWithEachStore, startStoreOf } from '../../../support/redis-server';
import { makeTlsFiles } from '../../../support/tls-files';

const LIMIT_MS = 5_000;
const place = (url: string, caPem?: string) => ({ url, secretArn: undefined, caPem });
const stores = keyStoresPort(() => Promise.reject(new Error('no secret')));

describeWithEachStore('a store that is opened', (command) => {
  test('over TLS it is trusted by its own authority, and by no other', async () => {
    const [own, other] = [await makeTlsFiles(), await makeTlsFiles()];
    const server = await startStoreOf(command, own.options, true);
    const url = `rediss://localhost:${server.port}`;
    const opened = await stores.open(place(url, own.caPem), LIMIT_MS);
    await opened.writeText('key', 'over TLS');
    expect(await opened.readText('key')).toBe('over TLS');
    opened.close();
    const asServer = await stores.openServer(place(url, own.caPem), LIMIT_MS);
    expect(await asServer.readState()).toMatchObject({ role: 'primary', keys: { db0: 1 }, replicas: [] });
    asServer.close();
    const rule = `the store ${url} must respond, got `;
    for (const caPem of [other.caPem, undefined]) {
      const opening = stores.open(place(url, caPem), LIMIT_MS);
      await expect(opening).rejects.toThrow(rule);
      await expect(opening).rejects.toThrow(/certificate/);
    }
    // Its certificate is for another name.
    await expect(stores.open(place(url.replace('localhost', '127.0.0.1'), own.caPem), LIMIT_MS)).rejects.toThrow(
      /IP: 127.0.0.1 is not in the cert's list|does not match certificate/,
    );
    // Without TLS nothing responds there.
    await expect(stores.open(place(url.replace('rediss', 'redis')), 500)).rejects.toThrow('must respond, got');
    await server.stop();
    [own, other].forEach((each) => each.remove());
  });

  test('a node of a cluster is rejected by name, and so is a replica', async () => {
    const [node, primary] = await Promise.all([
      startStoreOf(command, ['--cluster-enabled', 'yes']),
      startStoreOf(command),
    ]);
    const url = `redis://127.0.0.1:${node.port}`;
    for (const opening of [stores.open(place(url), LIMIT_MS), stores.openServer(place(url), LIMIT_MS)])
      await expect(opening).rejects.toThrow(`the store ${url} must be without cluster mode, got a node of a cluster`);
    const replica = await startStoreOf(command, ['--replicaof', `127.0.0.1 ${primary.port}`]);
    const replicaUrl = `redis://127.0.0.1:${replica.port}`;
    await expect(stores.open(place(replicaUrl), LIMIT_MS)).rejects.toThrow(
      `the store ${replicaUrl} must be a primary, got a replica`,
    );
    const opened = await stores.openServer(place(replicaUrl), LIMIT_MS);
    expect(await opened.readState()).toMatchObject({
      role: 'replica',
      primary: { host: '127.0.0.1', port: primary.port },
    });
    opened.close();
    await Promise.all([node, primary, replica].map((each) => each.stop()));
  });
});
