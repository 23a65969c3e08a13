import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');

/** A room, the rooms that it may import, and the packages. `node:` stands for Node's own modules. */
const ROOMS: Record<string, { readonly rooms: readonly string[]; readonly packages: readonly string[] }> = {
  core: { rooms: [], packages: ['@bufbuild/protobuf/wire'] },
  capture: { rooms: ['core'], packages: ['node:', '@platformatic/kafka'] },
  app: { rooms: ['core'], packages: ['node:'] },
  lib: { rooms: ['core'], packages: ['aws-cdk-lib', 'constructs', 'node:'] },
  lambda: { rooms: ['core'], packages: ['node:', 'iovalkey', 'selfsigned'] },
  proxy: {
    rooms: ['capture', 'compare/decode.ts', 'core'],
    packages: ['node:', 'pino', 'prom-client', 'selfsigned', 'yaml'],
  },
  rehearsal: {
    rooms: ['app', 'capture', 'compare', 'core', 'proxy', 'replay'],
    packages: [
      'node:',
      '@smithy/core/cbor',
      'aws-local-stepfunctions',
      'fast-xml-parser',
      'iovalkey',
      'openapi-sampler',
      'picocolors',
      'selfsigned',
      'ws',
      'yaml',
    ],
  },
  check: {
    // A browser's cookies are the same for whichever client has them.
    rooms: ['core', 'rehearsal/traffic/clients/cookie-jar.ts'],
    packages: ['node:', 'iovalkey', 'ws'],
  },
  compare: {
    // How pages look.
    rooms: ['core', 'rehearsal/page/markup.ts', 'rehearsal/timeline/palette.ts'],
    packages: ['node:'],
  },
  replay: { rooms: ['capture', 'compare', 'core'], packages: ['node:'] },
  // It runs in browsers.
  client: { rooms: [], packages: [] },
  bin: {
    rooms: ['lib', 'rehearsal', 'capture', 'check', 'compare', 'core', 'replay', 'lambda/operator.ts'],
    packages: ['node:', 'aws-cdk-lib', 'commander'],
  },
  bench: {
    rooms: [
      ...[
        'capture',
        'compare',
        'core',
        'rehearsal',
        'replay',
        'lib/index.ts',
        'proxy/data-plane/contract/ledger.ts',
        'proxy/admin',
      ],
      // The coordinator of a switch, as the step of the cutover has it.
      ...[
        'proxy/admin-keys/admin-keys.ts',
        // What a task says of its requests at a poll.
        'proxy/telemetry/recent-traffic.ts',
        'lambda/adapters',
        'lambda/contract',
        'lambda/state/hosts.ts',
        'lambda/state/prepare.ts',
        'lambda/switch/checkpoint-hook.ts',
        'lambda/switch/switch-over.ts',
        'lambda/switch/switch-hook.ts',
        'lambda/switch/switch-ports.ts',
        'lambda/switch/switch-preflight.ts',
      ],
    ],
    packages: [
      'node:',
      '@fastify/http-proxy',
      '@grpc/grpc-js',
      'aws-cdk-lib',
      'esbuild',
      'fastify',
      'iovalkey',
      'selfsigned',
      'ws',
    ],
  },
};

interface Arrow {
  readonly from: string;
  /** A path in the project, or the name of a package. */
  readonly to: string;
  readonly isPackage: boolean;
}

function listFiles(room: string): string[] {
  return readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(room, file));
}

function findArrows(file: string): Arrow[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, file), 'utf8'));
  return importedFiles.map(({ fileName }) => {
    if (!fileName.startsWith('.')) return { from: file, to: fileName, isPackage: true };
    const to = relative(ROOT, resolve(ROOT, dirname(file), fileName.replace(/\.js$/, '')));
    return { from: file, to: to in ROOMS ? `${to}/index.ts` : `${to}.ts`, isPackage: false };
  });
}

const files = Object.keys(ROOMS).flatMap(listFiles);
const arrows = files.flatMap(findArrows);
const findRoom = (file: string) => file.split('/')[0] ?? '';

test('the rooms are not empty, and every import leads to a file', () => {
  for (const room of Object.keys(ROOMS)) expect(files.filter((file) => findRoom(file) === room)).not.toEqual([]);
  const missing = arrows.filter(({ to, isPackage }) => !isPackage && !files.includes(to));
  expect(missing).toEqual([]);
});

test('arrows between rooms point one way only', () => {
  const wrong = arrows.filter(({ from, to, isPackage }) => {
    if (isPackage || findRoom(to) === findRoom(from)) return false;
    return !ROOMS[findRoom(from)]?.rooms.some((room) => to === room || to.startsWith(`${room}/`));
  });
  expect(wrong).toEqual([]);
});

test('packages are used in the rooms that they are for', () => {
  const wrong = arrows.filter(({ from, to, isPackage }) => {
    if (!isPackage) return false;
    const allowed = ROOMS[findRoom(from)]?.packages ?? [];
    return !allowed.some((name) => (name === 'node:' ? to.startsWith(name) : to === name || to.startsWith(`${name}/`)));
  });
  // The SDK and its signer have one door in each room that calls AWS.
  const ofAws = /^(@aws-sdk\/.*|@smithy\/signature-v4)$/;
  const doors = [
    'capture/kafka/msk-token.ts',
    'capture/s3/',
    'replay/s3/',
    'replay/sigv4/',
    'lambda/adapters/',
    'lambda/operator.ts',
    'proxy/admin-keys/secret-versions.ts',
    'proxy/switch-store/s3-store.ts',
  ];
  const isDoor = (file: string) => doors.some((door) => file.startsWith(door));
  expect(wrong.filter(({ from, to }) => !(isDoor(from) && ofAws.test(to)))).toEqual([]);
});

test("nothing but the bin imports a room's entry: the proxy's main stays alone", () => {
  const isFromOutside = (from: string, to: string) => to.startsWith('bin/') && findRoom(from) !== 'bin';
  expect(arrows.filter(({ from, to }) => to === 'proxy/main.ts' || isFromOutside(from, to))).toEqual([]);
});

test('the core has no clock, no randomness, no environment and no I/O', () => {
  const forbidden =
    /\b(Date\.now|new Date\(\)|Math\.random|process\.|performance\.|setTimeout|setInterval|fetch\(|console\.|require\()/;
  const found = files.filter(
    (file) => findRoom(file) === 'core' && forbidden.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  expect(found).toEqual([]);
});

/** What can be reached from each node of a graph. */
function reach(next: ReadonlyMap<string, ReadonlySet<string>>): Map<string, Set<string>> {
  const from = (start: string): Set<string> => {
    const seen = new Set<string>();
    const queue = [...(next.get(start) ?? [])];
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      if (seen.has(node)) continue;
      seen.add(node);
      queue.push(...(next.get(node) ?? []));
    }
    return seen;
  };
  return new Map([...next.keys()].map((node) => [node, from(node)]));
}

/** The arrows that lie on a cycle, between files or between their folders. */
function findCycles(findNode: (file: string) => string): string[] {
  const next = new Map<string, Set<string>>();
  for (const { from, to, isPackage } of arrows) {
    if (isPackage || findNode(from) === findNode(to)) continue;
    next.set(findNode(from), (next.get(findNode(from)) ?? new Set()).add(findNode(to)));
  }
  const reachable = reach(next);
  return arrows.flatMap(({ from, to, isPackage }) => {
    const isCycle = !isPackage && findNode(from) !== findNode(to) && reachable.get(findNode(to))?.has(findNode(from));
    return isCycle ? [`${from} → ${to}`] : [];
  });
}

test('no file imports itself through others', () => {
  expect(findCycles((file) => file)).toEqual([]);
});

// A parent that imports its children, and that they import, is such a cycle too.
test('no folder imports itself through others', () => {
  expect(findCycles(dirname)).toEqual([]);
});

test('every folder has its sentence in the architecture', () => {
  const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const folders = [...new Set(files.map((file) => dirname(file)))];
  expect(
    folders.filter((folder) => !text.includes(`| \`${folder}/\` |`) && !text.includes(`| **\`${folder}/\`** |`)),
  ).toEqual([]);
});
