import type { ConfigSources } from '../../proxy/config';
import { problemsOf, read } from './support/settings';

const SECRET = '0123456789abcdef';

describe('the admin secret', () => {
  const flags = { upstream: 'http://a', admin: '127.0.0.1:9901' };

  test('comes from the environment or a file', () => {
    const environment = { DRAINSHIFT_ADMIN_SECRET: SECRET };
    expect(read({ flags, environment }).admin).toEqual({ at: { host: '127.0.0.1', port: 9901 }, secret: SECRET });
    const file = { admin_secret_file: '/run/secret' };
    expect(read({ flags, file, readText: () => `${SECRET}\n` }).admin?.secret).toBe(SECRET);
  });

  test('in a file that a flag names comes before that of the environment, which comes before any other file', () => {
    const environment = { DRAINSHIFT_ADMIN_SECRET: SECRET };
    const readText = () => 'the secret of the file';
    const secretOf = (sources: Partial<ConfigSources>) => read({ readText, ...sources }).admin?.secret;
    expect(secretOf({ flags: { ...flags, admin_secret_file: '/run/secret' }, environment })).toBe(readText());
    expect(secretOf({ flags, file: { admin_secret_file: '/run/secret' }, environment })).toBe(SECRET);
    const both = { ...environment, DRAINSHIFT_ADMIN_SECRET_FILE: '/run/secret' };
    expect(secretOf({ flags, environment: both })).toBe(SECRET);
  });

  test('is needed, must be long, and is never shown', () => {
    expect(problemsOf({ flags })).toHaveLength(1);
    const problems = problemsOf({ flags, environment: { DRAINSHIFT_ADMIN_SECRET: 'short-secret' } });
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain('short-secret');
    const inFile = problemsOf({ flags, file: { admin_secret: 'in-the-file-secret' } });
    expect(inFile.join()).toContain("'config.admin_secret' must be one of");
    expect(inFile.join()).not.toContain('in-the-file-secret');
  });

  test('a file that cannot be read is one of the problems', () => {
    expect(problemsOf({ flags, file: { admin_secret_file: '/none' } })[0]).toBe(
      '\'admin_secret_file\' must be the path of a readable file, got "/none"',
    );
  });
});
