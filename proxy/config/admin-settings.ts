import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import type { Problems } from '../../core/validation/problems';
import { MIN_ADMIN_KEY_LENGTH, findUsableKeys } from '../../core/proxy/admin-api';
import { variableName } from '../../core/proxy/settings/setting-names';
import { readSecretVersions } from '../admin-keys/secret-versions';
import type { Clock } from '../process/clock';
import { Environment, Values, readSetting, readVariable } from './given';
import { AdminKeys, ReadKeys, describeLeftOut, keysIn, readSettled } from '../admin-keys/admin-keys';

export interface AdminConfig {
  readonly at: { readonly host: string; readonly port: number };
  /** Those that calls may be signed with, the current one first. */
  readonly keys: readonly string[];
  /** Where they are read again. Absent: they stay for the life of the process. */
  readonly keptIn?: { readonly secretArn: string } | { readonly file: string };
}

/** What the admin API's keys are read out of. */
interface AdminSources {
  readonly flags: { readonly admin_secret_file?: string };
  readonly environment: Environment;
  /** Undefined, and reported, when it cannot be read. */
  readonly readText: (name: 'admin_secret_file') => string | undefined;
}

/** The keys and where they are kept; `at` is known before. No problem shows a key. */
export function readAdminKeys(
  values: Values,
  sources: AdminSources,
  problems: Problems,
): Pick<AdminConfig, 'keys' | 'keptIn'> {
  const { keys, file } = findKeys(values, sources);
  if (keys.length > 2) problems.add('admin_secret_file', 'a file with one key or two', `${keys.length} lines`);
  // As when they are read again, one that is too short does not lock out the other one.
  const max = Math.max(0, ...keys.map(({ length }) => length));
  if (max < MIN_ADMIN_KEY_LENGTH) {
    const rule = `at least ${MIN_ADMIN_KEY_LENGTH} characters long when 'admin' is set; give it in ${variableName('admin_secret')} or 'admin_secret_file'`;
    problems.add('admin_secret', rule, `${max} characters`);
  }
  const { admin_secret_arn: secretArn } = values;
  if (secretArn === undefined) return { keys, ...(file !== undefined && { keptIn: { file } }) };
  const arn = readSetting('admin_secret_arn', values, problems) ?? '';
  if (file !== undefined) problems.add('admin_secret_arn', "absent where the key is of 'admin_secret_file'", secretArn);
  return { keys, keptIn: { secretArn: arn } };
}

/** A file that a flag names comes before the secret of the environment, one that is named elsewhere after it. */
function findKeys(
  values: Values,
  { flags, environment, readText }: AdminSources,
): { keys: readonly string[]; file?: string } {
  const secret = readVariable(environment, 'admin_secret');
  if (flags.admin_secret_file === undefined && secret !== undefined) return { keys: [secret] };
  const { admin_secret_file: file } = values;
  if (file === undefined) return { keys: [] };
  const keys = keysIn(readText('admin_secret_file') ?? '');
  return typeof file === 'string' ? { keys, file } : { keys };
}

/** The keys as they live: read again from where they are kept. */
export function findAdminKeys({ keys, keptIn }: AdminConfig, clock: Clock, log: Logger): AdminKeys {
  const { keys: usable, short } = findUsableKeys(keys);
  if (short !== undefined) log.warn(describeLeftOut(short));
  return new AdminKeys(usable, keptIn && { read: findReader(keptIn), clock, log });
}

function findReader(keptIn: NonNullable<AdminConfig['keptIn']>): ReadKeys {
  if ('secretArn' in keptIn) return (stopped) => readSecretVersions(keptIn.secretArn, stopped);
  return async (signal) => keysIn(await readSettled(() => readFile(keptIn.file, { encoding: 'utf8', signal }), signal));
}
