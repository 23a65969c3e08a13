import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { findUsableKeys } from '../../core/proxy/admin-api';
import { variableName } from '../../core/proxy/settings/setting-names';
import { HOST_PORT_RULE, HostPort, parseHostPort } from '../../core/validation/host-port';
import type * as Operator from '../../lambda/operator';
import { EXIT, WrongUse } from '../shared/operator-command';

/** The variables that a proxy reads, too. */
const SECRET = variableName('admin_secret');
const SECRET_FILE = variableName('admin_secret_file');
const TIMEOUT_MS = 10_000;

/** What every command takes that calls admin ports. */
export interface KeyFlags {
  readonly adminSecretFile?: string;
}

/** What every command takes that calls the admin port of one proxy. */
export interface ProxyFlags extends KeyFlags {
  readonly admin: HostPort;
  readonly json: boolean;
}

/** @param exits what its further exit codes mean */
export function keyCommand(command: Command, description: string, exits: readonly string[] = []): Command {
  return (
    command
      .description(description)
      // `proxy --help` is the proxy's own.
      .helpOption('-h, --help', 'display help for command')
      .option(
        '--admin-secret-file <file>',
        `the file that holds its key; without it ${SECRET_FILE} names the file, or ${SECRET} is the key`,
      )
      .addHelpText(
        'after',
        `\nExit codes: ${[`${EXIT.done} done`, `${EXIT.refused} rejected or failed`, ...exits, `${EXIT.wrongUse} wrong use`].join(', ')}.`,
      )
  );
}

/** @param exits what its further exit codes mean */
export function proxyCommand(command: Command, description: string, exits: readonly string[] = []): Command {
  return keyCommand(command, description, exits)
    .requiredOption(
      '--admin <host:port>',
      'the admin port of the proxy, at the address that the proxy itself has',
      readAdmin,
    )
    .option('--json', 'print JSON', false);
}

/** Of `HOST:PORT`, or `http://HOST:PORT`, which is what it speaks. */
export function parseAdmin(text: string): HostPort | undefined {
  return parseHostPort(text.replace(/^http:\/\//i, '').replace(/\/$/, ''));
}

/** Reads the value of a flag. @throws InvalidArgumentError that says the rule */
export function readAdmin(text: string): HostPort {
  const at = parseAdmin(text);
  if (at !== undefined) return at;
  throw new InvalidArgumentError(`must be ${HOST_PORT_RULE}, got '${text}'`);
}

export interface ProxyCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** @default 10,000 */
  readonly timeoutMs?: number;
}

/** One signed call. @throws CutoverError, or WrongUse without a key */
export async function callProxy(
  { admin: { host, port }, adminSecretFile }: KeyFlags & Pick<ProxyFlags, 'admin'>,
  call: ProxyCall,
): Promise<unknown> {
  const keys = readKeys(adminSecretFile);
  const address = await findAddress(host);
  const { callAdmin } = (await import(join(__dirname, '..', '..', 'assets', 'cli', 'operator.js'))) as typeof Operator;
  return callAdmin({ timeoutMs: TIMEOUT_MS, ...call, address, port, keys });
}

/** A call is signed for an address, and a proxy has no name of its own. */
async function findAddress(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new WrongUse(`'--admin' must name a host that has an address, got '${host}' (${code})`);
  }
}

/** The key, and on a second line the one before it, as a proxy reads them. @throws WrongUse that shows none of them */
export function readKeys(flag: string | undefined): readonly string[] {
  const file = flag ?? (process.env[SECRET] === undefined ? process.env[SECRET_FILE] : undefined);
  const text =
    file === undefined ? (process.env[SECRET] ?? '') : readFile(file, flag ? '--admin-secret-file' : SECRET_FILE);
  const kept = text.split('\n').map((line) => line.trim());
  const keys = kept.filter((line) => line !== '');
  if (keys.length === 0) throw new WrongUse(`'--admin-secret-file' must be given where ${SECRET} is not set, got none`);
  try {
    return findUsableKeys(keys).keys;
  } catch (error) {
    throw new WrongUse((error as Error).message);
  }
}

function readFile(file: string, name: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new WrongUse(`'${name}' must be a readable file, got '${file}' (${code})`);
  }
}
