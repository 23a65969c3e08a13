import type { Problems } from '../../core/validation/problems';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import { Environment, Values, readSetting, readVariable } from './given';

/** The store that the applications behind keep their sessions in, as this proxy looks at it. */
export interface SessionStoreConfig {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** Absent: the default user. */
  readonly user?: string;
  /** Absent: no login. */
  readonly password?: string;
  /** The health check fails while the store is away. */
  readonly isRequired: boolean;
}

const PORT = 6379;

export function readSessionStore(
  values: Values,
  environment: Environment,
  problems: Problems,
): { readonly sessionStore?: SessionStoreConfig } {
  const isRequired = readSetting('session_store_required', values, problems);
  if (values.session_store_url === undefined) {
    for (const name of ['session_store_user', 'session_store_required'] as const) {
      if (values[name] !== undefined) problems.add(name, "absent without 'session_store_url'", values[name]);
    }
    return {};
  }
  const at = address(values.session_store_url, problems);
  const password = readVariable(environment, 'session_store_password');
  const user = readSetting('session_store_user', values, problems) ?? at.user;
  return { sessionStore: { ...at, ...(user !== undefined && { user }), ...(password && { password }), isRequired } };
}

type Address = Pick<SessionStoreConfig, 'host' | 'port' | 'isTls' | 'user'>;

function address(value: unknown, problems: Problems): Address {
  const found = typeof value === 'string' && URL.canParse(value) ? splitParts(new URL(value)) : undefined;
  if (found) return found;
  const { rule } = PROXY_SETTINGS.session_store_url;
  problems.add('session_store_url', rule, typeof value === 'string' ? withoutLogin(value) : value);
  return { host: '', port: PORT, isTls: true };
}

/** Undefined for the URL of something else. */
function splitParts(url: URL): Address | undefined {
  const { protocol, hostname, port, password, pathname, search, hash } = url;
  const isBare = password === '' && (pathname === '' || pathname === '/') && search === '' && hash === '';
  const user = decoded(url.username);
  if (!['redis:', 'rediss:'].includes(protocol) || hostname === '' || !isBare || user === undefined) return undefined;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? PORT : Number(port),
    isTls: protocol === 'rediss:',
    ...(user !== '' && { user }),
  };
}

/** Undefined for what is no percent encoding. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What stands before an @ may be a password, and what stands behind a question mark, too: some clients take it there. */
function withoutLogin(text: string): string {
  return text.replace(/^(.*\/\/)?.*@/s, '$1…@').replace(/[?#].*$/s, '?…');
}
