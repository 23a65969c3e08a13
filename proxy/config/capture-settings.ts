import { randomBytes } from 'node:crypto';
import { STORE_URL_RULE, StoreUrl, needsLogin, parseStoreUrl } from '../../core/capture/store-url';
import { variableName } from '../../core/proxy/settings/setting-names';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import type { Problems } from '../../core/validation/problems';
import type { StoreLogin } from '../../capture/open-writer';
import type { CaptureConfig } from '../capture/capture';
import { Environment, Values, readSetting, readVariable } from './given';

const REST = [
  'capture_on_failure',
  'capture_timeout_seconds',
  'capture_methods',
  'capture_paths',
  'capture_never',
  'capture_websockets',
  'capture_share',
  'capture_redact',
  'capture_body_bytes',
  'capture_memory_bytes',
  'capture_user',
] as const;
const KEY_BYTES = 32;
const MIN_KEY_LENGTH = PROXY_SETTINGS.capture_key.minLength;
const NOTHING = 'none';

/** What is recorded, and where; absent where nothing is. */
export function readCapture(
  values: Values,
  environment: Environment,
  problems: Problems,
): { readonly capture?: CaptureConfig } {
  const url = readSetting('capture', values, problems);
  if (url === undefined) {
    for (const name of REST)
      if (values[name] !== undefined) problems.add(name, "absent without 'capture'", values[name]);
    return {};
  }
  const store = parseStoreUrl(url);
  if (store === undefined) {
    problems.add('capture', STORE_URL_RULE, url);
    return {};
  }
  const login = {
    user: readSetting('capture_user', values, problems),
    password: readVariable(environment, 'capture_password'),
  };
  checkLogin(store, login, problems);
  const key = readVariable(environment, 'capture_key');
  if (key !== undefined && key.length < MIN_KEY_LENGTH)
    problems.add(variableName('capture_key'), `at least ${MIN_KEY_LENGTH} characters long`, `${key.length} characters`);
  const redacted = readSetting('capture_redact', values, problems);
  if (redacted.includes(NOTHING) && redacted.length > 1)
    problems.add('capture_redact', "'none' alone, or names", redacted);
  return {
    capture: {
      store,
      login,
      onFailure: readSetting('capture_on_failure', values, problems),
      timeoutMs: 1000 * readSetting('capture_timeout_seconds', values, problems),
      methods: readSetting('capture_methods', values, problems).map((method) => method.toUpperCase()),
      paths: readSetting('capture_paths', values, problems),
      never: readSetting('capture_never', values, problems),
      recordsMessages: readSetting('capture_websockets', values, problems) === 'on',
      share: readSetting('capture_share', values, problems),
      redacted: redacted.filter((name) => name !== NOTHING),
      // The workers of a proxy share what is drawn here.
      key: key ?? randomBytes(KEY_BYTES).toString('hex'),
      bodyBytes: readSetting('capture_body_bytes', values, problems),
      memoryBytes: readSetting('capture_memory_bytes', values, problems),
    },
  };
}

function checkLogin(store: StoreUrl, login: StoreLogin, problems: Problems): void {
  const isNeeded = store.kind === 'kafka' && needsLogin(store.security);
  const { user, password } = login;
  if (isNeeded && user === undefined) problems.add('capture_user', 'a user for this store', undefined);
  if (isNeeded && password === undefined)
    problems.add(variableName('capture_password'), 'the password of that user', undefined);
  if (!isNeeded && user !== undefined) problems.add('capture_user', 'absent without kafka+plain or kafka+scram', user);
}
