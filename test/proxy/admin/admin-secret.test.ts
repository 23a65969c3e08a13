import type { ConfigSources } from '../../../proxy/config/given';
import { listProblems, read } from '../support/settings';

const SECRET = '0123456789abcdef';

describe('the admin secret', () => {
  const flags = { upstream: 'http://a', admin: '127.0.0.1:9901' };

  test('comes from the environment or a file', () => {
    const environment = { DRAINSHIFT_ADMIN_SECRET: SECRET };
    expect(read({ flags, environment }).admin).toEqual({ at: { host: '127.0.0.1', port: 9901 }, keys: [SECRET] });
    const file = { admin_secret_file: '/run/secret' };
    expect(read({ flags, file, readText: () => `${SECRET}\n` }).admin?.keys).toEqual([SECRET]);
  });

  test('in a file that a flag names comes before that of the environment, which comes before any other file', () => {
    const environment = { DRAINSHIFT_ADMIN_SECRET: SECRET };
    const readText = () => 'the secret of the file';
    const findSecret = (sources: Partial<ConfigSources>) => read({ readText, ...sources }).admin?.keys.join();
    expect(findSecret({ flags: { ...flags, admin_secret_file: '/run/secret' }, environment })).toBe(readText());
    expect(findSecret({ flags, file: { admin_secret_file: '/run/secret' }, environment })).toBe(SECRET);
    const both = { ...environment, DRAINSHIFT_ADMIN_SECRET_FILE: '/run/secret' };
    expect(findSecret({ flags, environment: both })).toBe(SECRET);
  });

  test('is needed, must be long, and is never shown', () => {
    expect(listProblems({ flags })).toHaveLength(1);
    const problems = listProblems({ flags, environment: { DRAINSHIFT_ADMIN_SECRET: 'short-secret' } });
    expect(problems).toHaveLength(1);
    expect(problems.join()).not.toContain('short-secret');
    const inFile = listProblems({ flags, file: { admin_secret: 'in-the-file-secret' } });
    expect(inFile.join()).toContain("'config.admin_secret' must be one of");
    expect(inFile.join()).not.toContain('in-the-file-secret');
  });

  test('has an ARN where it is read again, which is one of Secrets Manager, and not beside a file', () => {
    const environment = { DRAINSHIFT_ADMIN_SECRET: SECRET };
    const arn = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/admin-AbCdEf';
    const file = { admin_secret_arn: arn };
    expect(read({ flags, environment, file }).admin).toMatchObject({ keys: [SECRET], keptIn: { secretArn: arn } });
    expect(listProblems({ flags, environment, file: { admin_secret_arn: 'shop/admin' } })).toEqual([
      '\'admin_secret_arn\' must be the ARN of a secret of Secrets Manager, got "shop/admin"',
    ]);
    // It is what is given at the start that the first calls are signed with.
    expect(listProblems({ flags, file })).toHaveLength(1);
    const beside = { flags: { ...flags, admin_secret_file: '/run/secret' }, file, readText: () => SECRET };
    expect(listProblems(beside)[0]).toMatch(
      /^'admin_secret_arn' must be absent where the key is of 'admin_secret_file', /,
    );
  });

  test('a file may hold two, of which one may be too short to count, and no third', () => {
    const given = (text: string) => ({ flags, file: { admin_secret_file: '/run/secret' }, readText: () => text });
    const [first, second] = ['the-current-key-1', 'the-key-before-it'];
    expect(read(given(`${first}\r\n${second}\n`)).admin).toMatchObject({
      keys: [first, second],
      keptIn: { file: '/run/secret' },
    });
    expect(listProblems(given(`${first}\nshort`))).toEqual([]);
    expect(listProblems(given('short\nsmall'))[0]).toMatch(
      /^'admin_secret' must be at least 16 characters .*, got "5 /,
    );
    expect(listProblems(given(`${first}\n${second}\n${SECRET}`))).toEqual([
      '\'admin_secret_file\' must be a file with one key or two, got "3 lines"',
    ]);
  });

  test('a file that cannot be read is one of the problems', () => {
    expect(listProblems({ flags, file: { admin_secret_file: '/none' } })[0]).toBe(
      '\'admin_secret_file\' must be the path of a readable file, got "/none"',
    );
  });
});
