import {
  CONFIG_VARIABLE,
  LIMITS,
  SETTINGS,
  SHARED_LIMITS,
  TIMEOUTS,
  buildEnvironment,
  completeLimits,
  completeTimeouts,
  flagName,
  limitName,
  timeoutName,
  variableName,
} from '../../../../core/proxy/settings/setting-names';
import {
  LIMIT_SETTINGS,
  PROXY_SETTINGS,
  SettingField,
  TIMEOUT_SETTINGS,
} from '../../../../core/proxy/settings/settings';

test('a setting has its name in the environment, as a flag, and in the data plane', () => {
  expect(variableName('client_idle_seconds')).toBe('DRAINSHIFT_CLIENT_IDLE_SECONDS');
  expect(flagName('client_idle_seconds')).toBe('--client-idle-seconds');
  expect(timeoutName('client_idle_seconds')).toBe('clientIdleMs');
  expect(limitName('field_bytes')).toBe('fieldBytes');
});

test('secrets are variables alone', () => {
  const secrets = Object.entries(PROXY_SETTINGS).flatMap(([name, { kind }]) => (kind === 'secret' ? [name] : []));
  expect(secrets.length).toBeGreaterThan(0);
  expect([...SETTINGS, ...secrets].sort()).toEqual(Object.keys(PROXY_SETTINGS).sort());
});

test('what is not given has its default, in milliseconds where it is a time', () => {
  const timeouts = completeTimeouts();
  for (const name of TIMEOUTS) expect(timeouts[timeoutName(name)]).toBe(1000 * TIMEOUT_SETTINGS[name].default);
  expect(Object.keys(timeouts)).toHaveLength(TIMEOUTS.length);
  const limits = completeLimits();
  for (const name of LIMITS) expect(limits[limitName(name)]).toBe(LIMIT_SETTINGS[name].default);
  expect(Object.keys(limits)).toHaveLength(LIMITS.length);
});

test('what is given stays, and what follows it has the same', () => {
  for (const name of TIMEOUTS) {
    const given = completeTimeouts({ [timeoutName(name)]: 7 });
    const changed = Object.entries(given).flatMap(([key, ms]) => (ms === 7 ? [key] : []));
    const followers = TIMEOUTS.filter((each) => {
      const { follows }: SettingField = TIMEOUT_SETTINGS[each];
      return follows === name;
    });
    expect(changed.sort()).toEqual([name, ...followers].map(timeoutName).sort());
  }
  expect(completeLimits({ fieldBytes: 7 })).toEqual({ ...completeLimits(), fieldBytes: 7 });
});

test('the limits that workers share are those that say so', () => {
  const shared = LIMITS.filter((name) => Object.hasOwn(LIMIT_SETTINGS[name], 'isShared'));
  expect(SHARED_LIMITS).toEqual(shared.map(limitName));
  expect(shared.length).toBeGreaterThan(0);
  expect(shared.length).toBeLessThan(LIMITS.length);
});

test('an environment has what is given, and none of the rest', () => {
  expect(buildEnvironment({ client_idle_seconds: '7', listen: undefined })).toEqual({
    DRAINSHIFT_CLIENT_IDLE_SECONDS: '7',
  });
  expect(CONFIG_VARIABLE).toBe('DRAINSHIFT_CONFIG');
});
