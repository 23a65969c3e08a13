import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { variableName } from '../../core/proxy/settings/setting-names';
import { HOST_PORT_RULE, HostPort, parseHostPort } from '../../core/validation/host-port';
import type * as Operator from '../../lambda/operator';
import { EXIT, WrongUse } from '../shared/operator-command';

/** The variable that a proxy reads, too. */
const SECRET = variableName('admin_secret');
const TIMEOUT_MS = 10_000;

/** What every command takes that calls the admin port of one proxy. */
export interface ProxyFlags {
  readonly admin: HostPort;
  readonly adminSecretFile?: string;
  readonly json: boolean;
}

/** @param exits what its further exit codes mean */
export function proxyCommand(command: Command, description: string, exits: readonly string[] = []): Command {
  return (
    command
      .description(description)
      // `proxy --help` is the proxy's own.
      .helpOption('-h, --help', 'display help for command')
      .requiredOption(
        '--admin <host:port>',
        'the admin port of the proxy, at the address that the proxy itself has',
        admin,
      )
      .option('--admin-secret-file <file>', `the file that holds its key; without it the key is ${SECRET}`)
      .option('--json', 'print JSON', false)
      .addHelpText(
        'after',
        `\nExit codes: ${[`${EXIT.done} done`, `${EXIT.refused} rejected or failed`, ...exits, `${EXIT.wrongUse} wrong use`].join(', ')}.`,
      )
  );
}

function admin(text: string): HostPort {
  const at = parseHostPort(text);
  if (at !== undefined) return at;
  throw new InvalidArgumentError(`must be ${HOST_PORT_RULE}, got '${text}'`);
}

/** One signed call. @throws CutoverError, or WrongUse without a key */
export async function callProxy(
  { admin: { host, port }, adminSecretFile }: ProxyFlags,
  call: { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: unknown },
): Promise<unknown> {
  const keys = adminSecretFile === undefined ? [readVariable()] : readKeys(adminSecretFile);
  const address = await findAddress(host);
  const { callAdmin } = (await import(join(__dirname, '..', '..', 'assets', 'cli', 'operator.js'))) as typeof Operator;
  return callAdmin({ ...call, address, port, keys, timeoutMs: TIMEOUT_MS });
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

function readVariable(): string {
  const key = process.env[SECRET] ?? '';
  if (key !== '') return key;
  throw new WrongUse(`'--admin-secret-file' must be given where ${SECRET} is not set, got none`);
}

/** The key, and on a second line the one before it, as a proxy reads them. */
function readKeys(file: string): string[] {
  try {
    const keys = readFileSync(file, 'utf8').split('\n');
    return keys.map((key) => key.trim()).filter((key) => key !== '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new WrongUse(`'--admin-secret-file' must be a readable file, got '${file}' (${code})`);
  }
}
