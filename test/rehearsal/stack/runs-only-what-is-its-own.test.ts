import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { readAssembly } from '../../../rehearsal/template/assembly/read';
import type { Template } from '../../../rehearsal/template/assembly/template';
import { readStackModel } from '../../../rehearsal/template/model/stack-model';
import { checkTrust, foreignParts, trustedFunctions, trustedService } from '../../../rehearsal/stack/trust';
import { synthesize, temporaryFolder } from '../command';
import { startLocalCloud } from '../aws/world';

let folder: string;
let app: string;
beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Resources = Record<string, { Type: string; Properties: Record<string, unknown> }>;

/** A copy of the app in which a stranger has changed something. */
function changed(change: (assembly: string, resources: Resources) => void): string {
  const copy = join(folder, `changed-${Math.random()}`);
  cpSync(app, copy, { recursive: true });
  const file = join(copy, 'Drainshift.template.json');
  const template = JSON.parse(readFileSync(file, 'utf8')) as Template & { Resources: Resources };
  change(copy, template.Resources);
  writeFileSync(file, JSON.stringify(template));
  return copy;
}

const read = (assembly: string) => readStackModel(readAssembly(assembly));
/** Not one of the CDK's own functions, which a rehearsal does not run: they have an entry point beside. */
function assetWith(assembly: string, file: string): string {
  const has = (asset: string, name: string) => existsSync(join(assembly, asset, name));
  const own = readdirSync(assembly).filter((asset) => has(asset, file) && !has(asset, '__entrypoint__.js'));
  return join(assembly, own.toSorted()[0] ?? '');
}

interface Container {
  Command: string[];
  Environment: { Name: string; Value: string }[];
}
const findContainers = (resources: Resources) =>
  Object.values(resources)
    .filter(({ Type }) => Type === 'AWS::ECS::TaskDefinition')
    .flatMap(({ Properties }) => Properties.ContainerDefinitions as Container[]);

test("the package's own assembly is trusted", () => {
  expect(() => checkTrust(read(app), 'ownBundles')).not.toThrow();
  expect(foreignParts(read(app))).toEqual([]);
});

test('the region of a store is its own: proxies on instances are given it', () => {
  const region = { Name: 'AWS_REGION', Value: 'eu-central-1' };
  const own = changed((_, resources) =>
    findContainers(resources).forEach(({ Environment }) => Environment.push(region)),
  );
  expect(foreignParts(read(own))).toEqual([]);
});

test.each<[string, (assembly: string, resources: Resources) => void, RegExp]>([
  [
    'another command',
    (_, resources) => findContainers(resources).forEach((each) => (each.Command = ['sh', '-c', 'evil'])),
    /the proxy of '.+' must be the one of this very package.*got the command 'sh -c evil'.*--allow-foreign-commands/,
  ],
  [
    'an option that loads a file',
    (_, resources) =>
      findContainers(resources).forEach(({ Command }) => Command.splice(1, 0, '--require=/tmp/evil.js')),
    /got the command 'node --require=\/tmp\/evil.js/,
  ],
  [
    'another proxy',
    (assembly) => writeFileSync(join(assetWith(assembly, 'proxy.js'), 'proxy.js'), 'evil()'),
    /the proxy of '.+' must be .*got another bundle in/,
  ],
  [
    'another step',
    (assembly) => writeFileSync(join(assetWith(assembly, 'index.js'), 'index.js'), 'evil()'),
    /function '.+' must be .*got another bundle in/,
  ],
  [
    'a module beside the steps',
    (assembly) => mkdirSync(join(assetWith(assembly, 'index.js'), 'node_modules')),
    /function '.+' must be .*got another bundle in/,
  ],
])('%s is rejected, unless the assembly is trusted', (_, change, reason) => {
  const model = read(changed(change));
  expect(() => checkTrust(model, 'ownBundles')).toThrow(reason);
  expect(() => checkTrust(model, 'everything')).not.toThrow();
});

test('variables through which code could be loaded are left out, and named', () => {
  const hostile = {
    NODE_OPTIONS: '--require /tmp/evil.js',
    LD_PRELOAD: 'evil.so',
    AWS_CONFIG_FILE: 'evil',
    PATH: '/evil',
  };
  const model = read(
    changed((_, resources) => {
      const pairs = Object.entries(hostile).map(([Name, Value]) => ({ Name, Value }));
      findContainers(resources).forEach(({ Environment }) => Environment.push(...pairs));
      for (const { Type, Properties } of Object.values(resources)) {
        if (Type === 'AWS::Lambda::Function')
          Object.assign((Properties.Environment as { Variables: object })?.Variables ?? {}, hostile);
      }
    }),
  );
  const given = [
    ...trustedFunctions(model.functions, 'ownBundles').map(({ environment }) => environment),
    ...model.services.map((service) => trustedService(service, 'ownBundles').container.environment),
  ];
  expect(given.length).toBeGreaterThan(10);
  for (const environment of given)
    for (const name of Object.keys(hostile)) expect(environment).not.toHaveProperty(name);
  expect(given.some((environment) => 'DRAINSHIFT_CUTOVER_CONFIG' in environment)).toBe(true);
  expect(foreignParts(model)).toContainEqual(expect.stringMatching(/'LD_PRELOAD' of '.+' is not this package's/));
  expect(trustedService(model.services[0]!, 'everything').container.environment).toHaveProperty('LD_PRELOAD');
});

test('a function of someone else is not among those that run', () => {
  const { functions } = read(app);
  const foreign = functions.map(({ name }) => name).filter((name) => name.includes('CustomVp'));
  expect(foreign).toHaveLength(1);
  expect(trustedFunctions(functions, 'ownBundles').map(({ name }) => name)).not.toContain(foreign[0]);
});

describe('paths of an assembly', () => {
  const outside = '/etc/hostname';
  const editManifest = (
    assembly: string,
    edit: (artifacts: Record<string, { properties: Record<string, string> }>) => void,
  ) => {
    const file = join(assembly, 'manifest.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8')) as { artifacts: Parameters<typeof edit>[0] };
    edit(manifest.artifacts);
    writeFileSync(file, JSON.stringify(manifest));
  };
  const editAssets = (assembly: string, path: string) => {
    const file = join(assembly, 'Drainshift.assets.json');
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replaceAll(/"(path|directory)": "asset\.[^"]+"/g, `"$1": "${path}"`),
    );
  };

  test.each<[string, (assembly: string) => void]>([
    [
      'a template',
      (at) => editManifest(at, (each) => Object.assign(each.Drainshift?.properties ?? {}, { templateFile: outside })),
    ],
    [
      'a list of assets',
      (at) =>
        editManifest(at, (each) =>
          Object.assign(each['Drainshift.assets']?.properties ?? {}, { file: '../../x.json' }),
        ),
    ],
    ['an asset above it', (at) => editAssets(at, '../../../../etc')],
    ['an asset by an absolute path', (at) => editAssets(at, '/etc')],
    [
      'an asset by a link',
      (at) => {
        symlinkSync('/etc', join(at, 'link'));
        editAssets(at, 'link');
      },
    ],
  ])('%s that leads out of it is rejected', (_, change) => {
    const copy = changed(change);
    expect(() => readAssembly(copy)).toThrow(/a path of the assembly must stay inside '.+', got '/);
  });

  test('a link to the assembly itself, and one within it, are none', () => {
    const copy = changed(() => undefined);
    const link = join(folder, 'link-to-it');
    symlinkSync(copy, link);
    expect(() => checkTrust(read(link), 'ownBundles')).not.toThrow();
  });
});

test.each<[string, number]>([
  ['127.0.0.1', 200],
  ['localhost', 200],
  ['bucket.localhost', 200],
  ['[::1]', 200],
  ['evil.example.com', 403],
  ['127.0.0.1.evil.example.com', 403],
  ['localhost.evil.example.com', 403],
])("the AWS endpoint responds to the Host '%s' with %i", async (host, expected) => {
  const cloud = await startLocalCloud();
  const url = new URL(cloud.endpoint.url);
  const status = await new Promise((resolve, reject) => {
    const headers = {
      host: `${host}:${url.port}`,
      'content-type': 'application/x-www-form-urlencoded',
      authorization: 'AWS4-HMAC-SHA256 Credential=ME/20260101/us-east-1/sts/aws4_request',
    };
    request(url, { method: 'POST', headers }, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end('Action=GetCallerIdentity&Version=2011-06-15');
  });
  await cloud.stop();
  expect(status).toBe(expected);
});
