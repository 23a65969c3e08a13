// `npm run images:renew` writes into proxy/Dockerfile the digests that the tags of its base images have today; `npm run images:check`
// says instead whether they are those. Both ask the registries by their HTTP API, without a container engine. Behind a mirror give the
// Dockerfile's own arguments: `NODE_REGISTRY=mirror.example.com/docker npm run images:renew`.
//
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md, https://distribution.github.io/distribution/spec/auth/token/
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** An image of one architecture alone would break the build for the other one. */
const INDEXES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const PLATFORMS = ['linux/amd64', 'linux/arm64'];
const ANSWER_MS = 30_000;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/;

async function main() {
  const { values } = parseArgs({
    options: { check: { type: 'boolean' }, dockerfile: { type: 'string', default: join(ROOT, 'proxy/Dockerfile') } },
  });
  const before = readFileSync(values.dockerfile, 'utf8');
  const images = imagesOf(before);
  const digests = new Map();
  for (const image of images) {
    if (!digests.has(image.name)) digests.set(image.name, await digestOf(image));
  }
  const after = images.reduce((text, { line, digest, name }) => {
    return text.replace(line, line.replace(digest, digests.get(name)));
  }, before);
  const stale = images.filter(({ name, digest }) => digests.get(name) !== digest);
  for (const name of new Set(stale.map((image) => image.name))) {
    const { digest } = stale.find((image) => image.name === name);
    console.log(`${name}: ${digest} -> ${digests.get(name)}`);
  }
  if (stale.length === 0) return void console.log(`All ${digests.size} base images have the digests of their tags`);
  if (values.check) throw new Error("the digests must be those of today: run 'npm run images:renew'");
  writeFileSync(`${values.dockerfile}.new`, after);
  renameSync(`${values.dockerfile}.new`, values.dockerfile);
}

/** The FROM lines that name an image of a registry, with what their arguments stand for. */
function imagesOf(dockerfile) {
  const stages = new Set();
  const images = [];
  const args = new Map([...dockerfile.matchAll(/^ARG (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]));
  for (const [line, written, , stage] of dockerfile.matchAll(/^FROM (?:--platform=\S+ )?(\S+)( AS (\S+))?$/gm)) {
    const known = stages.has(written) || written === 'scratch';
    if (stage) stages.add(stage);
    if (known) continue;
    const [, name, digest] = /^(.+:[\w.-]+)@(sha256:[0-9a-f]{64})$/.exec(written) ?? [];
    if (!name) throw new Error(`'FROM' must be PLACE/NAME:TAG@sha256:…, got '${written}'`);
    const place = name.replace(/\$\{(\w+)\}/g, (_, arg) => process.env[arg] || args.get(arg) || `\${${arg}}`);
    images.push({ line, digest, name: place });
  }
  if (images.length === 0) throw new Error("the Dockerfile must have a 'FROM' with an image, got none");
  return images;
}

async function digestOf({ name }) {
  const [, host, repository, tag] = /^([^/$]+)\/([^:$]+):(.+)$/.exec(name) ?? [];
  if (!host) throw new Error(`'FROM' must name registry, repository and tag, got '${name}'`);
  const address = `${baseOf(host)}/v2/${repository}/manifests/${tag}`;
  const response = await get(address, repository, name);
  const body = Buffer.from(await response.arrayBuffer());
  const digest = `sha256:${createHash('sha256').update(body).digest('hex')}`;
  const told = response.headers.get('docker-content-digest') ?? digest;
  if (told !== digest) throw new Error(`${name} must have the digest that its registry tells, ${told}, got ${digest}`);
  const type = (response.headers.get('content-type') ?? '').split(';')[0];
  if (!INDEXES.includes(type)) throw new Error(`${name} must be an index of several architectures, got ${type}`);
  const { manifests } = readJson(body.toString(), name);
  if (!Array.isArray(manifests)) throw new Error(`${name} must be an index with 'manifests', got ${show(body)}`);
  const found = manifests.map((manifest) => `${manifest?.platform?.os}/${manifest?.platform?.architecture}`);
  const missing = PLATFORMS.filter((platform) => !found.includes(platform));
  if (missing.length > 0)
    throw new Error(`${name} must be there for ${PLATFORMS.join(' and ')}, got none for ${missing}`);
  return digest;
}

/** Docker Hub's registry has another name than its images. As docker does, only the own machine is asked in the clear. */
function baseOf(host) {
  return `${LOOPBACK.test(host) ? 'http' : 'https'}://${host === 'docker.io' ? 'registry-1.docker.io' : host}`;
}

/** Registries give everybody a token for what everybody may read. */
async function get(address, repository, name) {
  const accept = INDEXES.join(', ');
  const first = await ask(address, { accept }, name);
  if (first.ok) return first;
  const challenge = first.headers.get('www-authenticate') ?? '';
  if (first.status !== 401 || !/^bearer /i.test(challenge)) throw refused(name, first);
  const part = (key) => new RegExp(`[ ,]${key}="([^"]*)"`, 'i').exec(challenge)?.[1];
  if (!URL.canParse(part('realm') ?? '')) {
    throw new Error(`${name}: the 'realm' that its registry names must be a URL, got '${part('realm') ?? ''}'`);
  }
  const realm = new URL(part('realm'));
  if (realm.protocol !== 'https:' && !LOOPBACK.test(realm.host))
    throw new Error(`${name}: the token must come by https, got ${realm}`);
  const service = part('service');
  if (service) realm.searchParams.set('service', service);
  realm.searchParams.set('scope', part('scope') ?? `repository:${repository}:pull`);
  const granted = await ask(realm, {}, name);
  if (!granted.ok) throw refused(name, granted);
  const answer = await granted.text();
  const { token, access_token: accessToken } = readJson(answer, name);
  if (typeof (token ?? accessToken) !== 'string') {
    throw new Error(`${name}: ${realm.host} must give a 'token' or an 'access_token', got none`);
  }
  const second = await ask(address, { accept, authorization: `Bearer ${token ?? accessToken}` }, name);
  if (!second.ok) throw refused(name, second);
  return second;
}

async function ask(address, headers, name) {
  try {
    return await fetch(address, { headers, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    throw new Error(
      `${name} must be readable at ${new URL(address).host}, got ${error.cause?.message || error.message}`,
    );
  }
}

/** An object: registries, and mirrors that are none, respond with anything. */
function readJson(text, name) {
  try {
    const read = JSON.parse(text);
    if (typeof read === 'object' && read !== null) return read;
  } catch {
    // Said below.
  }
  throw new Error(`${name} must be described by a JSON object, got ${show(text)}`);
}

const show = (text) => JSON.stringify(String(text).slice(0, 80));

function refused(name, { status, url }) {
  return new Error(`${name} must be readable, got ${status} of ${new URL(url).host}`);
}

main().catch(({ message }) => {
  console.error(message);
  process.exitCode = 1;
});
