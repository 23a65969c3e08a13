import { spawnSync } from 'node:child_process';
import { UsageError } from '../errors/usage-error';

/** Of util-linux and Perl, which every Debian has. */
const COMMANDS = ['unshare', 'nsenter', 'flock', 'setsid', 'perl', 'bash'];
/** Another criu than that of the path. */
export const CRIU_VARIABLE = 'DRAINSHIFT_CRIU';
const FIRST_VERSION = [4, 2] as const;

/**
 * Whether processes can be dumped and restored here.
 *
 * @returns how criu is called
 * @throws UsageError in one line for what is missing
 */
export function findCriu(environment: NodeJS.ProcessEnv = process.env): string {
  if (process.platform !== 'linux') reject('the machine must be Linux', process.platform);
  if (process.getuid?.() !== 0) reject('the rehearsal must run as root', `user ${process.getuid?.()}`);
  for (const command of COMMANDS) {
    if (spawnSync(command, ['--version']).error) reject(`'${command}' must be installed`, 'none');
  }
  const criu = environment[CRIU_VARIABLE] ?? 'criu';
  checkVersion(criu);
  const { status, stderr } = spawnSync(criu, ['check'], { encoding: 'utf8' });
  if (status !== 0) reject('criu must work on this kernel', stderr.trim().split('\n').at(-1) ?? 'no reason');
  return criu;
}

function checkVersion(criu: string): void {
  const rule = `criu 4.2 or newer must be installed, or named by ${CRIU_VARIABLE}`;
  const { error, stdout } = spawnSync(criu, ['--version'], { encoding: 'utf8' });
  const version = error ? null : /^Version: (\d+)\.(\d+)/.exec(stdout);
  if (!version) return reject(rule, `no '${criu}'`);
  const [major, minor] = version.slice(1).map(Number) as [number, number];
  const [firstMajor, firstMinor] = FIRST_VERSION;
  if (major < firstMajor || (major === firstMajor && minor < firstMinor)) reject(rule, `${major}.${minor}`);
}

function reject(rule: string, got: string): never {
  throw new UsageError(`to move the memory of a process, ${rule}, got ${got}`);
}
