import {
  ConnectionPage,
  joinGenerations,
  nameGeneration,
  queryForGeneration,
  readConnectionQuery,
} from '../../../core/proxy/connection-list';
import { CONNECTION_KINDS } from '../../../core/proxy/connections';
import { Problems } from '../../../core/validation/problems';

function read(query: string) {
  const problems = new Problems();
  return { asked: readConnectionQuery(query, problems), problems: problems.all };
}

test('a query has its defaults, and a place is what a response gave', () => {
  expect(read('').asked).toEqual({
    after: { worker: 0, serial: 0 },
    limit: 100,
    kinds: CONNECTION_KINDS,
  });
  expect(read('kind=websocket&kind=http,streaming&limit=1000&after=3-81734')).toEqual({
    asked: {
      after: { worker: 3, serial: 81_734 },
      limit: 1_000,
      kinds: ['websocket', 'http', 'streaming'],
    },
    problems: [],
  });
});

test.each([
  ['limit=0', "'limit' must be an integer from 1 to 1000, got 0"],
  ['limit=1001', "'limit' must be an integer from 1 to 1000, got 1001"],
  ['limit=', '\'limit\' must be an integer from 1 to 1000, got ""'],
  ['limit=1e2', '\'limit\' must be an integer from 1 to 1000, got "1e2"'],
  ['limit=1&limit=2', '\'limit\' must be given once, got ["1","2"]'],
  ['kind=ws', '\'kind\' must be one of http, websocket, grpcStream, serverSentEvents, streaming, got "ws"'],
  ['after=', "'after' must be what a response said as 'next', got \"\""],
  ['after=1-2.5', "'after' must be what a response said as 'next', got \"1-2.5\""],
  ['after=1-2-3', "'after' must be what a response said as 'next', got \"1-2-3\""],
  ['page=2', '\'page\' must be one of after, limit, kind, got "page"'],
])('%s is rejected', (query, problem) => {
  expect(read(query).problems).toEqual([problem]);
});

test('generations have ids of their own, the older ones first', () => {
  const page = (...ids: string[]) => ({ connections: ids.map((id) => ({ id })) }) as unknown as ConnectionPage;
  const ids = ({ connections }: ConnectionPage) => connections.map(({ id }) => id);
  expect(nameGeneration(2, { ...page('1-7', '2-3'), next: '2-3' })).toEqual({
    ...page('2001-7', '2002-3'),
    next: '2002-3',
  });
  const after = (text: string) => read(`after=${text}`).asked;
  expect(queryForGeneration(2, after('2001-7'))?.after).toEqual({ worker: 1, serial: 7 });
  expect(queryForGeneration(2, after('1064-7'))?.after).toEqual({ worker: 0, serial: 0 });
  expect(queryForGeneration(2, after('3001-7'))).toBeUndefined();
  expect(ids(joinGenerations(page('1001-1'), page('2001-1')))).toEqual(['1001-1', '2001-1']);
  expect(joinGenerations(page('1001-1'), undefined).next).toBe('1001-1');
  expect(joinGenerations(page('1001-1'), { ...page('2001-1'), next: '2001-1' }).next).toBe('2001-1');
  expect(joinGenerations(page(), page()).next).toBeUndefined();
});
