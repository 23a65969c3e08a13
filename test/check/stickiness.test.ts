import { StickinessPlan, checkStickiness } from '../../check/stickiness';
import { judgeStickiness } from '../../core/check/stickiness';
import { goOn, quiet, serve, serveFront, stopServers, targetFor } from './servers';

afterEach(stopServers);

const PLAN: StickinessPlan = {
  ...{ clients: 4, requests: 10, intervalMs: 0, withCookies: true },
  naming: { fields: [['server_id'], ['hostname']] },
};
const RULES = { minStayed: 1, minServers: 2, maxFailed: 0 };

async function check(url: string, more: Partial<StickinessPlan> = {}) {
  const figures = await checkStickiness(targetFor(url), { ...PLAN, ...more }, goOn(), quiet());
  return { figures, judgement: judgeStickiness(figures, RULES, false) };
}

test('clients stay behind a sticky front, each with the cookies that it got', async () => {
  const port = await serveFront(true);
  const { figures, judgement } = await check(`http://127.0.0.1:${port}/`);
  expect(figures).toMatchObject({ clients: 4, requests: 40, failed: 0, unnamed: 0, stayed: 4, cookies: ['AWSALB'] });
  expect(figures.servers).toHaveLength(2);
  expect(judgement.verdict).toBe('held');
});

test('they change behind one that is not, and behind a sticky one when they forget their cookies', async () => {
  const isNot = await check(`http://127.0.0.1:${await serveFront(false)}/`, {
    naming: { header: 'x-server', fields: [] },
  });
  expect(isNot.judgement).toMatchObject({ verdict: 'broken', broken: [{ name: 'stayed' }] });
  expect(isNot.figures.changed.length).toBeGreaterThan(1);
  const forgets = await check(`http://127.0.0.1:${await serveFront(true)}/`, { withCookies: false });
  expect(forgets.figures).toMatchObject({ requests: 40, cookies: ['AWSALB'] });
  expect(forgets.figures.changed.length).toBeGreaterThan(1);
});

test('over WebSockets a client that fetched the page first stays with its server', async () => {
  const port = await serveFront(true, 'session');
  const more = { cookiesFrom: new URL(`http://127.0.0.1:${port}/page`), send: '{"client":{client}}' };
  const { figures, judgement } = await check(`ws://127.0.0.1:${port}/ws`, more);
  expect(figures).toMatchObject({ requests: 40, stayed: 4, cookies: ['session'] });
  expect(judgement.verdict).toBe('held');
  const without = await check(`ws://127.0.0.1:${port}/ws`, { send: 'x' });
  expect(without.judgement.verdict).toBe('broken');
});

test('a cookie of another path is not sent, and responses that failed are named', async () => {
  const port = await serve({
    onRequest: (request, response) => {
      response.setHeader('set-cookie', 'sid=1; Path=/elsewhere');
      response.statusCode = request.headers.cookie === undefined ? 502 : 200;
      response.end('{}');
    },
  });
  const { figures, judgement } = await check(`http://127.0.0.1:${port}/`);
  expect(figures).toMatchObject({ failed: 40, problems: [{ problem: 'HTTP status 502', count: 40 }] });
  expect(judgement.verdict).toBe('broken');
});

test('a page that cannot be fetched fails its clients', async () => {
  const port = await serveFront(true);
  const gone = await serve({ onRequest: (_, response) => response.writeHead(404).end() });
  const { figures } = await check(`http://127.0.0.1:${port}/`, { cookiesFrom: new URL(`http://127.0.0.1:${gone}/`) });
  expect(figures).toMatchObject({ requests: 4, failed: 4, problems: [{ problem: 'HTTP status 404', count: 4 }] });
});

test('a stop keeps what was seen, and what was under way is no failure', async () => {
  const stop = new AbortController();
  let requests = 0;
  const port = await serve({
    onRequest: (_, response) => {
      requests += 1;
      if (requests <= 4) response.end(`{"server_id":"a"}`);
      else stop.abort();
    },
  });
  const url = `http://127.0.0.1:${port}/`;
  const figures = await checkStickiness(targetFor(url), { ...PLAN, clients: 1 }, stop.signal, quiet());
  expect(figures).toMatchObject({ requests: 4, failed: 0, servers: [{ server: 'a', responses: 4 }] });
});
