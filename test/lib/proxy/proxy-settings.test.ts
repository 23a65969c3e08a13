import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Template } from 'aws-cdk-lib/assertions';
import { budgetProblem } from '../../../core/proxy/shutdown-budget';
import { DrainProfile } from '../../../lib/shared/drain-profile';
import { SessionStore } from '../../../lib/session-store/session-store';
import { readConfig } from '../../../proxy/config/config';
import { newStack } from '../fixture';
import { NUMBERS } from '../../../lib/proxy/proxy-environment';
import { LIMITS, SETTINGS, TIMEOUTS, variableName } from '../../../core/proxy/settings/setting-names';
import { findContainer, buildEnvironment, newProxies, findTemplate } from './proxy-fixture';

/** What a proxy makes of the environment that the constructs give it, with what AWS fills in. */
function resolveConfig(environment: Record<string, unknown>) {
  const filled = {
    ...(environment as Record<string, string>),
    DRAINSHIFT_ADMIN_SECRET: 'a'.repeat(64),
    DRAINSHIFT_ADMIN_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:Secret-AbCdEf',
  };
  const readText = () => '';
  return readConfig({ flags: {}, environment: filled, file: undefined, readText });
}

test.each([
  ['short-lived', DrainProfile.SHORT_LIVED],
  ['mixed', DrainProfile.MIXED],
  ['WebSocket-heavy', DrainProfile.WEBSOCKET_HEAVY],
])('a proxy takes the settings of the constructs, and its shutdown fits: %s', (_name, drainProfile) => {
  const config = resolveConfig(buildEnvironment(findTemplate({}, { drainProfile })));
  expect(budgetProblem(config)).toBeUndefined();
  expect(config).toMatchObject({
    gracePeriodSeconds: drainProfile.gracePeriod?.toSeconds(),
    workers: 1,
    protectsTask: true,
    metricsService: expect.stringMatching(/Proxies/) as string,
  });
});

test('a proxy takes the session store of the constructs', () => {
  const stack = newStack();
  newProxies(stack, { sessionStore: new SessionStore(stack, 'Sessions', { vpc: new Vpc(stack, 'StoreVpc') }) });
  const environment = buildEnvironment(Template.fromStack(stack));
  const url = {
    DRAINSHIFT_SESSION_STORE_URL: 'rediss://cache.internal:6379',
    DRAINSHIFT_SESSION_STORE_PASSWORD: 'word',
  };
  expect(resolveConfig({ ...environment, ...url }).sessionStore).toMatchObject({
    host: 'cache.internal',
    user: 'sessions',
    password: 'word',
  });
});

test('every setting of the constructs is one that a proxy has', () => {
  const stack = newStack();
  newProxies(stack, { sessionStore: new SessionStore(stack, 'Sessions', { vpc: new Vpc(stack, 'StoreVpc') }) });
  const template = Template.fromStack(stack);
  const { Secrets } = findContainer(template);
  const given = [...Object.keys(buildEnvironment(template)), ...Secrets.map(({ Name }) => Name)];
  const secrets = [variableName('admin_secret'), variableName('session_store_password')];
  const known = new Set<string>([...SETTINGS.map(variableName), ...secrets]);
  expect(given.filter((name) => !known.has(name))).toEqual([]);
  expect(given).toEqual(expect.arrayContaining(secrets));
});

test('a setting that is a number is known by its name, so that a text in its place is rejected at synth', () => {
  const numbers = [...TIMEOUTS, ...LIMITS];
  for (const name of numbers) expect(NUMBERS).toContain(variableName(name));
  // The proxy itself refuses a text for each that is taken for a number.
  const named = SETTINGS.filter((name) => NUMBERS.has(variableName(name)));
  const environment = Object.fromEntries(named.map((name) => [variableName(name), 'abc']));
  // Those of a capture and of a mirror are read where there is one.
  const file = { capture: 'captured', mirror_url: 'http://b' };
  const config = () => readConfig({ flags: {}, environment, file, readText: () => '' });
  for (const name of named)
    expect(config).toThrow(new RegExp(`'${name}' must be an? (number|integer) from .*, got "abc"`));
});
