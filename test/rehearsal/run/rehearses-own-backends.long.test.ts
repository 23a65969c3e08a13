import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Command, FREE_PORTS, synthesize, temporaryFolder } from '../command';

let folder: string;
let app: string;
const commands: Command[] = [];

beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const command of commands.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
});

function rehearse(...args: string[]): Command {
  const command = new Command(['rehearse', '--app', app, ...FREE_PORTS, ...args]);
  commands.push(command);
  return command;
}

test("users' own backends get GETs of the plan's smoke paths, and each side's share is seen at the load balancer", async () => {
  const backends = await Promise.all(
    [1, 2].map(async () => {
      const server = createServer((request, response) => response.writeHead(request.url === '/page' ? 204 : 404).end());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    }),
  );
  const plan = join(folder, 'own.yaml');
  writeFileSync(
    plan,
    'smoke: [{ path: /page, expectedStatus: 204 }]\npollSeconds: 1\nstages:\n' +
      '  - { weights: { source: 50, target: 50 }, bakeSeconds: 3 }\n' +
      '  - { weights: { source: 0, target: 100 }, bakeSeconds: 3 }\n',
  );
  const [source, target] = backends.map(({ url }) => url) as [string, string];
  const command = rehearse('--source', source, '--target', target, '--plan', plan, '--speed', '1', '--traffic', '0.3');
  const { code, output } = await command.ended;
  for (const { server } of backends) server.close();
  expect(output).toContain('nothing lost of what was tried; NOT TRIED: uploads, sessions, WebSockets, event streams');
  if (code !== 0) throw new Error(`the cutover must complete, got exit code ${code}:\n${output.slice(-4_000)}`);
  expect(output).toMatch(/weights 50\/50 .*source [1-9]\d* req\/s, .*target [1-9]\d* req\/s/);
  // The cutover itself goes on asking the source, which a rollback would need.
  expect(output).toMatch(/weights 0\/100 .*source \d req\/s, .*target [1-9]\d* req\/s/);
});
