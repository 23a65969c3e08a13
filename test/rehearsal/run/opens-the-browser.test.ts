import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProgressReporter } from '../../../rehearsal/progress/progress-reporter';
import { openBrowser } from '../../../rehearsal/run/open-browser';
import { until } from '../../proxy/support/world';

const { PATH } = process.env;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'opener-'));
  process.env.PATH = folder;
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true });
});

/** @returns what it says */
function open(platform: NodeJS.Platform): string[] {
  const said: string[] = [];
  const reporter = { step: (line: string) => said.push(line) } as unknown as ProgressReporter;
  openBrowser('https://localhost:1/?a=b&c=$(d)', '/tmp/ca.pem', reporter, platform);
  return said;
}

function writeOpener(name: string, exitCode: number): void {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\nfor each in "$@"; do echo "$each" >> ${folder}/asked; done\nexit ${exitCode}\n`);
  chmodSync(file, 0o755);
}

test.each([
  ['darwin', 'open', ''],
  ['linux', 'xdg-open', ''],
  ['win32', 'rundll32', 'url.dll,FileProtocolHandler\n'],
] as const)('on %s by %s, which gets the address as it is', async (platform, command, before) => {
  writeOpener(command, 0);
  const said = open(platform);
  const asked = join(folder, 'asked');
  const expected = `${before}https://localhost:1/?a=b&c=$(d)\n`;
  await until(() => existsSync(asked) && readFileSync(asked, 'utf8') === expected);
  expect(said).toEqual([
    'opening https://localhost:1/?a=b&c=$(d) in your browser, which warns of the certificate: accept it once, or trust /tmp/ca.pem',
  ]);
});

test('where nothing can open it, it says so, and which address', async () => {
  const missing = open('linux');
  await until(() => missing.length === 2);
  expect(missing[1]).toBe(
    'no browser was opened (xdg-open: spawn xdg-open ENOENT): open https://localhost:1/?a=b&c=$(d) yourself',
  );
  writeOpener('xdg-open', 3);
  const failed = open('linux');
  await until(() => failed.length === 2);
  expect(failed[1]).toContain('xdg-open: exit code 3');
});
