import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const COMMAND = join(__dirname, '../../dist/bin/drainshift.js');

const folder = mkdtempSync(join(tmpdir(), 'drainshift-completion-'));

afterAll(() => rmSync(folder, { recursive: true }));

/** The file with a shell's script. */
function script(shell: string): string {
  const path = join(folder, shell);
  writeFileSync(path, execFileSync(process.execPath, [COMMAND, 'completion', shell]));
  return path;
}

const isInstalled = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0;

/** The shells that this machine has; a test of another one is skipped, and says so. */
const testIn = (shell: string) => (isInstalled(shell) ? test : test.skip);

/** What bash would offer behind these words. */
function bash(...words: string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const ask = `COMP_WORDS=(drainshift ${quoted}); COMP_CWORD=${words.length}; _drainshift; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const printed = execFileSync('bash', ['-c', `source '${script('bash')}'; ${ask}`], { encoding: 'utf8' });
  return printed.trim().split('\n');
}

testIn('bash')('bash completes commands, their options and the values of these', () => {
  expect(bash('')).toEqual(expect.arrayContaining(['rehearse', 'proxy', 'weights', 'completion', '--version']));
  expect(bash('weights', '')).toEqual(expect.arrayContaining(['get', 'set']));
  expect(bash('plan', '')).toEqual(expect.arrayContaining(['init', 'validate', 'explain']));
  expect(bash('weights', 'set', '--so')).toEqual(['--source']);
  expect(bash('hold', '--d')).toEqual(['--dry-run']);
  expect(bash('rehearse', '--fault', 'target-errors@d')).toEqual(['target-errors@drain']);
  expect(bash('rehearse', '--fault', 'weights-l')).toEqual([
    'weights-late',
    'weights-late@shift',
    'weights-late@last-shift',
  ]);
  // As bash itself breaks the words; what it replaces begins with the break.
  expect(bash('rehearse', '--fault', 'target-errors', '@', 'd')).toEqual(['@drain']);
  expect(bash('rehearse', '--fault', 'weights-late', '@')).toEqual(['@shift', '@last-shift']);
  expect(bash('rehearse', '--fault', 'alarm@bake', '--li')).toEqual(['--list-faults']);
  expect(bash('completion', 'z')).toEqual(['zsh']);
  expect(bash('proxy', '--upstream-ping')).toEqual(['--upstream-ping-seconds']);
  expect(bash('proxy', '--che')).toEqual(['--check']);
  expect(bash('proxy', '--access-log', '')).toEqual(['off', 'errors', 'on']);
  expect(bash('proxy', '--task-protection', '')).toEqual(['true', 'false']);
});

testIn('fish')('fish reads its script', () => {
  const ask = `source '${script('fish')}'; complete -C 'drainshift weights set --so'`;
  const asked = spawnSync('fish', ['-c', ask], { encoding: 'utf8', env: { ...process.env, HOME: folder } });
  expect([asked.status, asked.stdout]).toEqual([0, expect.stringContaining('--source')]);
});

testIn('zsh')('zsh reads its script', () => {
  const ask = `autoload -U compinit && compinit -u; source '${script('zsh')}'; whence -w _drainshift`;
  const asked = spawnSync('zsh', ['-fc', ask], { encoding: 'utf8', env: { ...process.env, HOME: folder } });
  expect([asked.status, asked.stdout, asked.stderr]).toEqual([0, '_drainshift: function\n', '']);
});

test('another shell is rejected by name', () => {
  const asked = spawnSync(process.execPath, [COMMAND, 'completion', 'tcsh'], { encoding: 'utf8' });
  expect(asked.status).toBe(64);
  expect(asked.stderr).toContain("'tcsh' is invalid");
});
