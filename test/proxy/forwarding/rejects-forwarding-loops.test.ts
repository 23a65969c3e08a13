import os from 'node:os';
import { readConfig } from '../../../proxy/config/config';

afterEach(() => jest.restoreAllMocks());

function listProblems(file: Readonly<Record<string, string>>): string[] {
  const readText = () => '';
  try {
    readConfig({ flags: {}, environment: { DRAINSHIFT_ADMIN_SECRET: '0123456789abcdef' }, file, readText });
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

test.each([
  ['127.0.0.1:9000', 'http://127.0.0.1:9000'],
  ['127.0.0.1:9000', 'https://localhost:9000'],
  ['localhost:9000', 'http://127.0.0.1:9000'],
  ['App.example:9000', 'http://app.example:9000'],
  ['[0:0::1]:9000', 'http://[::1]:9000'],
  ['0.0.0.0:9000', 'http://127.0.0.2:9000'],
  ['0.0.0.0:9000', 'http://localhost:9000'],
  ['0.0.0.0:9000', 'http://0.0.0.0:9000'],
  ['[::]:9000', 'http://127.0.0.1:9000'],
  ['[::]:9000', 'http://[::1]:9000'],
  ['0.0.0.0:80', 'http://localhost'],
  ['0.0.0.0:443', 'https://localhost'],
])('a proxy at %s has no upstream %s', (listen, upstream) => {
  const rule = "must be another address than 'listen', so that the proxy does not call itself";
  expect(listProblems({ listen, upstream })).toEqual([`'upstream' ${rule}, got "${upstream}"`]);
  expect(listProblems({ listen, upstream: 'http://10.0.0.9', other_upstream: upstream })).toEqual([
    `'other_upstream' ${rule}, got "${upstream}"`,
  ]);
});

test.each([
  ['127.0.0.1:9000', 'http://127.0.0.1:9001'],
  ['127.0.0.1:9000', 'http://127.0.0.2:9000'],
  ['0.0.0.0:9000', 'http://10.0.0.9:9000'],
  ['0.0.0.0:9000', 'http://app.example:9000'],
  ['0.0.0.0:9000', 'http://[::1]:9000'],
  ['10.0.0.1:9000', 'http://localhost:9000'],
  ['127.0.0.1:0', 'http://127.0.0.1:80'],
])('a proxy at %s may have the upstream %s', (listen, upstream) => {
  expect(listProblems({ listen, upstream })).toEqual([]);
});

const IPV4 = { address: '10.0.0.7', family: 'IPv4' };
const IPV6 = { address: 'fd00::7', family: 'IPv6' };

test.each([
  ['0.0.0.0:9000', 'http://10.0.0.7:9000', true],
  ['[::]:9000', 'http://10.0.0.7:9000', true],
  ['[::]:9000', 'http://[fd00:0::7]:9000', true],
  ['0.0.0.0:9000', 'http://[fd00::7]:9000', false],
  ['0.0.0.0:9000', 'http://10.0.0.7:9001', false],
  ['127.0.0.1:9000', 'http://10.0.0.7:9000', false],
  ['10.0.0.7:9000', 'http://10.0.0.7:9000', true],
])('on a machine with two addresses a proxy at %s calls itself at %s: %s', (listen, upstream, isItself) => {
  jest.spyOn(os, 'networkInterfaces').mockReturnValue({ eth0: [IPV4, IPV6] as os.NetworkInterfaceInfo[] });
  expect(listProblems({ listen, upstream })).toHaveLength(isItself ? 1 : 0);
});

test('an upstream that is no address is one problem', () => {
  expect(listProblems({ listen: '0.0.0.0:80', upstream: 'nowhere' })).toHaveLength(1);
});

test('the admin port is another one than the data port', () => {
  const upstream = 'http://10.0.0.9';
  expect(listProblems({ upstream, listen: '127.0.0.1:9000', admin: '0.0.0.0:9000' })).toEqual([
    `'admin' must be another port than 'listen', got "0.0.0.0:9000"`,
  ]);
  expect(listProblems({ upstream, admin: '127.0.0.1:8443' })).toHaveLength(1);
  expect(listProblems({ upstream, listen: '127.0.0.1:0', admin: '127.0.0.1:0' })).toEqual([]);
  expect(listProblems({ upstream, listen: 'nowhere', admin: 'nowhere' })).toHaveLength(2);
});
