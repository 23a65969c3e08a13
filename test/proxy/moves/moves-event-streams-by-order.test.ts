import { holdOrder } from '../../support/hold-order';
import { Feed, FeedBackend, listIds, readStream, startFeed, startStream, upTo } from '../data-plane/moves/support/feed';
import { findReport } from '../support/proxy-world';
import { stopAll, until } from '../support/world';
import { MoveWorld, startMoves } from './support/world';

afterEach(stopAll);

const CLIENTS = 20;

interface Streams {
  readonly feed: Feed;
  readonly source: FeedBackend;
  readonly target: FeedBackend;
  readonly world: MoveWorld;
  readonly admin: number;
  /** Publishes an event, which every client gets. */
  publish(): Promise<void>;
  /** Every client got each event once, and none was closed. */
  check(): void;
}

async function startStreams(changes: Parameters<typeof startMoves>[3] = {}): Promise<Streams> {
  const feed = new Feed();
  const [source, target] = [await startFeed(feed), await startFeed(feed)];
  const world = await startMoves(source.port, target.port, {}, changes);
  const readers = Array.from({ length: CLIENTS }, () => readStream(world.port));
  await Promise.all(readers.map(({ response }) => response));
  let ended = 0;
  for (const { end } of readers) void end.catch(() => undefined).then(() => (ended += 1));
  const publish = async () => {
    feed.publish();
    await until(() => readers.every((reader) => listIds(reader.text()).length >= feed.texts.length));
  };
  const check = () => {
    for (const reader of readers) expect(listIds(reader.text())).toEqual(upTo(feed.texts.length));
    expect(ended).toBe(0);
  };
  return { feed, source, target, world, admin: world.proxy.admin!.port, publish, check };
}

const areAt = ({ sockets }: FeedBackend) => until(() => sockets.size === CLIENTS);

test('a retarget moves event streams, and another one moves them back', async () => {
  const { source, target, world, admin, publish, check } = await startStreams();
  await publish();
  await world.retarget('target');
  await areAt(target);
  await until(() => source.sockets.size === 0);
  await publish();
  await until(async () => (await findReport(admin)).carried?.serverSentEvents === CLIENTS);
  expect(await findReport(admin)).toMatchObject({
    active: { serverSentEvents: 0 },
    ended: { serverSentEvents: { moved: CLIENTS, closed: 0, forced: 0 } },
    moves: { rejected: {}, underWay: 0 },
  });
  await world.retarget('source');
  await areAt(source);
  await publish();
  await until(async () => (await findReport(admin)).active.serverSentEvents === CLIENTS);
  expect((await findReport(admin)).carried?.serverSentEvents).toBe(0);
  check();
});

test('a drain moves them, an undrain moves them back', async () => {
  const { source, target, world, admin, publish, check } = await startStreams();
  await publish();
  await world.order('/drain', {});
  await areAt(target);
  await publish();
  await until(async () => (await findReport(admin)).state === 'drained');
  await world.order('/undrain', {});
  await areAt(source);
  await publish();
  await until(async () => (await findReport(admin)).active.serverSentEvents === CLIENTS);
  check();
});

test.each(['target', 'source'] as const)(
  'a hold that ends streams takes them out of their backend, and its release to the %s says where they go on',
  async (to) => {
    const { feed, source, target, world, admin, publish, check } = await startStreams();
    await publish();
    const { requests } = target;
    await world.order('/hold', holdOrder({ epoch: 1, leaseMs: 60_000, maxWaiting: 10, endsStreams: true }));
    await until(() => source.sockets.size === 0);
    await until(async () => (await findReport(admin)).active.serverSentEvents === 0);
    // Nothing is asked of the other side before it is decided.
    expect(requests).toHaveLength(0);
    feed.publish();
    await world.order('/release', { epoch: 1, to });
    await areAt(to === 'target' ? target : source);
    await publish();
    expect(requests).toHaveLength(to === 'target' ? CLIENTS : 0);
    check();
  },
);

test('those without ids are closed in order by a retarget, and have their time in a drain', async () => {
  const backends = await Promise.all(
    [1, 2].map(() =>
      startStream(
        (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a\n\n'),
      ),
    ),
  );
  const world = await startMoves(backends[0]!.port, backends[1]!.port);
  const reader = readStream(world.port);
  await until(() => reader.text() !== '');
  await world.order('/drain', {});
  const admin = world.proxy.admin!.port;
  await until(async () => (await findReport(admin)).moves?.rejected.noEventId === 1);
  expect((await findReport(admin)).active.serverSentEvents).toBe(1);
  await world.order('/undrain', {});
  await world.retarget('target');
  await reader.end;
  expect(reader.text()).toMatch(/^data: a\n\nretry: \d{4}\n\n$/);
  expect((await findReport(admin)).ended.serverSentEvents).toMatchObject({ closed: 1, moved: 0 });
});
