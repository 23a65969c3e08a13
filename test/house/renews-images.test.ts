import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http, { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
const OWN = join(ROOT, 'proxy/Dockerfile');
const OCI = 'application/vnd.oci.image.index.v1+json';
const TOKEN = 'a-token-of-a-test';

let folder: string;
let server: http.Server | undefined;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'drainshift-images-'))));
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  rmSync(folder, { recursive: true, force: true });
});

const computeDigest = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

function index(...platforms: string[]): string {
  const manifests = platforms.map((platform, at) => {
    const [os, architecture] = platform.split('/');
    return {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: computeDigest(`${at}`),
      platform: { os, architecture },
    };
  });
  return JSON.stringify({ schemaVersion: 2, mediaType: OCI, manifests });
}

const WHOLE = index('linux/amd64', 'linux/arm64', 'linux/s390x');
const NODE = '/v2/library/node/manifests/24-bookworm-slim';
const DISTROLESS = '/v2/distroless/cc-debian12/manifests/nonroot';

interface Response {
  readonly body: string;
  readonly type?: string;
  readonly digest?: string;
  readonly status?: number;
}

/** A registry as the OCI describes it, which wants a token; and what it was asked for. */
async function startRegistry(
  manifests: Record<string, Response>,
  { withToken = true, grant = JSON.stringify({ token: TOKEN }) } = {},
) {
  const asked: string[] = [];
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    const { url = '', headers } = request;
    asked.push(url);
    const host = headers.host ?? '';
    if (url.startsWith('/token')) return void response.end(grant);
    if (withToken && headers.authorization !== `Bearer ${TOKEN}`) {
      const repository = /^\/v2\/(.+)\/manifests\//.exec(url)?.[1];
      const challenge = `Bearer realm="http://${host}/token",service="a registry",scope="repository:${repository}:pull"`;
      return void response.writeHead(401, { 'www-authenticate': challenge }).end();
    }
    const found = manifests[url];
    if (!found) return void response.writeHead(404).end();
    const { body, type = OCI, digest = computeDigest(body), status = 200 } = found;
    response.writeHead(status, { 'content-type': type, 'docker-content-digest': digest }).end(body);
  };
  const started = http.createServer(serve).listen(0, '127.0.0.1');
  server = started;
  await new Promise((listening) => started.once('listening', listening));
  return { host: `127.0.0.1:${(started.address() as AddressInfo).port}`, asked };
}

async function run(host: string, args: readonly string[] = [], text = readFileSync(OWN, 'utf8')) {
  const dockerfile = join(folder, 'Dockerfile');
  writeFileSync(dockerfile, text);
  const env = { ...process.env, NODE_REGISTRY: `${host}/library`, DISTROLESS_REGISTRY: `${host}/distroless` };
  const child = spawn(process.execPath, [join(ROOT, 'scripts/images.mjs'), '--dockerfile', dockerfile, ...args], {
    env,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const status = await new Promise<number | null>((done) => child.once('close', done));
  return { status, said, after: readFileSync(dockerfile, 'utf8') };
}

test('every base image of ours is named by its digest, and may come from a mirror', () => {
  const stages = new Set<string>();
  for (const [line, image = '', stage] of readFileSync(OWN, 'utf8').matchAll(
    /^FROM (?:--platform=\S+ )?(\S+)(?: AS (\S+))?$/gm,
  )) {
    expect([line, image]).toEqual([
      line,
      expect.stringMatching(/^\$\{\w+_REGISTRY\}\/[\w-]+:[\w.-]+@sha256:[0-9a-f]{64}$/),
    ]);
    if (stage) stages.add(stage);
  }
  expect([...stages]).toEqual(['check', 'runtime']);
});

test('the digests of the tags are written into the Dockerfile, and nothing else of it changes', async () => {
  const other = index('linux/arm64', 'linux/amd64');
  const { host, asked } = await startRegistry({ [NODE]: { body: WHOLE }, [DISTROLESS]: { body: other } });
  const before = readFileSync(OWN, 'utf8');
  const { status, said, after } = await run(host);
  expect([status, said]).toEqual([0, expect.stringContaining(computeDigest(WHOLE)) as string]);
  const pinned = [...after.matchAll(/@(sha256:\w+)/g)].map(([, digest]) => digest);
  expect(pinned).toEqual([computeDigest(WHOLE), computeDigest(WHOLE), computeDigest(other)]);
  const withoutDigests = (text: string) => text.replace(/@sha256:\w+/g, '');
  expect(withoutDigests(after)).toBe(withoutDigests(before));
  // One that is there twice is asked for once, each time for a token first.
  expect(asked).toHaveLength(6);
  expect(asked).toContain('/token?service=a+registry&scope=repository%3Alibrary%2Fnode%3Apull');
  const again = await run(host, [], after);
  expect(again).toEqual({ status: 0, said: 'All 2 base images have the digests of their tags\n', after });
});

test('a check changes nothing, and fails where a digest is an old one', async () => {
  const { host } = await startRegistry(
    { [NODE]: { body: WHOLE }, [DISTROLESS]: { body: WHOLE } },
    { withToken: false },
  );
  const before = readFileSync(OWN, 'utf8');
  const { status, said, after } = await run(host, ['--check']);
  expect([status, said]).toEqual([1, expect.stringMatching(/run 'npm run images:renew'\n$/) as string]);
  expect(after).toBe(before);
  const current = before.replace(/@sha256:\w+/g, `@${computeDigest(WHOLE)}`);
  expect((await run(host, ['--check'], current)).status).toBe(0);
});

test.each<[string, Response | undefined, RegExp]>([
  ['is not there', undefined, /must be readable, got 404 of 127\.0\.0\.1:/],
  ['is for one architecture alone', { body: index('linux/amd64') }, /and linux\/arm64, got none for linux\/arm64/],
  [
    'is no index',
    { body: '{}', type: 'application/vnd.oci.image.manifest.v1+json' },
    /must be an index of several architectures, got application\/vnd\.oci\.image\.manifest\.v1\+json/,
  ],
  ['is an index of nothing', { body: '{}' }, /must be an index with 'manifests', got "\{\}"/],
  ['is a page', { body: 'hello' }, /must be described by a JSON object, got "hello"/],
  [
    'is not what its digest says',
    { body: WHOLE, digest: computeDigest('another') },
    /must have the digest that its registry tells/,
  ],
  ['cannot be read', { body: '', status: 503 }, /must be readable, got 503/],
])('nothing is written where an image %s', async (_, response, message) => {
  const { host } = await startRegistry({ [NODE]: { body: WHOLE }, ...(response && { [DISTROLESS]: response }) });
  const before = readFileSync(OWN, 'utf8');
  const { status, said, after } = await run(host);
  expect([status, said]).toEqual([1, expect.stringMatching(message) as string]);
  expect(said.trim().split('\n')).toHaveLength(1);
  expect(after).toBe(before);
});

test.each([
  ['FROM ${NODE_REGISTRY}/node:24\n', /^'FROM' must be PLACE\/NAME:TAG@sha256:…, got '\$\{NODE_REGISTRY\}\/node:24'$/],
  [`FROM node:24@sha256:${'a'.repeat(64)}\n`, /^'FROM' must name registry, repository and tag, got 'node:24'$/],
  ['# nothing\n', /^the Dockerfile must have a 'FROM' with an image, got none$/],
])('a Dockerfile that names none is rejected: %j', async (text, message) => {
  const { status, said, after } = await run('127.0.0.1:1', [], text);
  expect([status, said.trim(), after]).toEqual([1, expect.stringMatching(message), text]);
});

test('a registry that is away is named', async () => {
  const { status, said } = await run('127.0.0.1:1');
  expect([status, said]).toEqual([
    1,
    expect.stringMatching(/^127\.0\.0\.1:1\/library\/node:24-bookworm-slim must be readable at 127\.0\.0\.1:1, got /),
  ]);
});

test.each([
  ['hello', /node:\S+ must be described by a JSON object, got "hello"/],
  ['{}', /node:\S+: 127\S+ must give a 'token' or an 'access_token', got none/],
])('a registry that grants no token is named: %s', async (grant, reason) => {
  const { host } = await startRegistry({ [NODE]: { body: WHOLE } }, { grant });
  expect(await run(host)).toMatchObject({ status: 1, said: expect.stringMatching(reason) as string });
});
