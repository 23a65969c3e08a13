import {
  PromotionView,
  ServerState,
  compareCounts,
  findLag,
  findReplica,
  follows,
  nextPromotion,
} from '../../../core/state/replication';

const PLACE = { hosts: ['new.example', '10.0.0.2'], port: 6379 };
const LISTED = { host: '10.0.0.2', port: 6379, offset: 90, isOnline: true };

function server(more: Partial<ServerState> = {}): ServerState {
  return {
    role: 'primary',
    replicationId: 'one',
    offset: 100,
    ...{ isLinkUp: false, isSyncing: false, isReadOnly: true, isFailingOver: false },
    ...{ replicas: [], receivedBytes: 0, keys: { db0: 3 } },
    ...more,
  };
}

const replica = (more: Partial<ServerState> = {}) =>
  server({ role: 'replica', primary: { host: 'old.example', port: 6379 }, isLinkUp: true, ...more });

describe('what is next behind a commit', () => {
  const next = (more: Partial<PromotionView>) =>
    nextPromotion({
      ...{ from: server({ replicas: [LISTED] }), to: replica(), place: PLACE },
      ...{ attempt: 1, isLast: false, isMarked: true },
      ...more,
    });

  test.each<[string, Partial<PromotionView>, object]>([
    ['a primary and its replica change places', {}, { kind: 'failOver', replica: LISTED }],
    ['a failover is waited for', { from: server({ isFailingOver: true, replicas: [LISTED] }) }, { kind: 'wait' }],
    ['a replica that is not listed may connect again', { from: server() }, { kind: 'wait' }],
    ['a primary that does not respond may do so again', { from: undefined }, { kind: 'wait' }],
    ['one that is dead is not waited for', { from: undefined, attempt: 2 }, { kind: 'promote' }],
    ['two replicas of each other need a primary', { from: replica(), attempt: 2 }, { kind: 'promote' }],
    ['at last it is promoted, whatever the other one does', { isLast: true }, { kind: 'promote' }],
    ['it is a primary', { from: replica(), to: server() }, { kind: 'done' }],
    ['it is a primary, and the other one is not its replica yet', { to: server() }, { kind: 'done' }],
    ['it is the only one left', { from: undefined, to: server(), isMarked: false }, { kind: 'done' }],
    ['another call has done it', { from: replica(), to: server(), isMarked: false }, { kind: 'done' }],
    [
      'a primary that was discarded meanwhile serves nothing',
      { to: server(), isMarked: false },
      { kind: 'refuse', got: 'a primary that is not of this switch' },
    ],
  ])('%s', (_, view, move) => {
    expect(next(view)).toEqual(move);
  });
});

test('a server is followed by its name, its address, or its history where it is listed by another address', () => {
  const place = { hosts: ['old.example', '10.0.0.1'], port: 6379 };
  const at = (host: string, more = {}) => follows(replica({ primary: { host, port: 6379 }, ...more }), server(), place);
  expect([at('old.example'), at('10.0.0.1'), at('10.0.9.9')]).toEqual([true, true, true]);
  expect(at('10.0.9.9', { isLinkUp: false })).toBe(false);
  expect(at('10.0.9.9', { replicationId: 'another' })).toBe(false);
  expect(follows(server(), server(), place)).toBe(false);
});

test('a replica is found among others by its address, and alone by any', () => {
  const other = { ...LISTED, host: '10.0.0.3' };
  expect(findReplica(server({ replicas: [other, LISTED] }), PLACE)).toBe(LISTED);
  expect(findReplica(server({ replicas: [other] }), PLACE)).toBe(other);
  expect(findReplica(server({ replicas: [other, { ...other, port: 1 }] }), PLACE)).toBeUndefined();
});

test('a replica may take the place of its primary with all that was written, and of the same history', () => {
  expect(findLag(server(), replica(), 100)).toBeUndefined();
  expect(findLag(server(), replica({ offset: 99 }), 100)).toBe('99 of 100 bytes');
  expect(findLag(server(), replica({ replicationId: 'another' }), 100)).toBe('a replica of another history');
  expect(findLag(server(), replica({ isLinkUp: false }), 100)).toBe('a link that is down');
  expect(findLag(server(), server(), 100)).toBe('a store that replicates no more');
  expect(findLag(replica(), replica(), 100)).toBe('a store that is left and is no primary any more');
});

test('counts differ by database, also where one side has none', () => {
  expect(compareCounts(server(), server())).toBeUndefined();
  expect(compareCounts(server(), server({ keys: { db0: 3, db7: 1 } }))).toBe('0 and 1 keys in db7');
});
