import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Addresses } from '../../../rehearsal/tasks/addresses';

const blockOf = (address: string) => address.split('.')[2];

test('rehearsals beside each other never have the same addresses, whatever their process ids', async () => {
  const claimed = await Promise.all(Array.from({ length: 20 }, () => Addresses.claim()));
  expect(new Set(claimed.map((each) => blockOf(each.take()))).size).toBe(20);
  await Promise.all(claimed.map((each) => each.release()));
});

test('one has 250 of them, none of which is the address of a network or a machine', async () => {
  const addresses = await Addresses.claim();
  const taken = Array.from({ length: 251 }, () => addresses.take());
  expect(new Set(taken).size).toBe(250);
  expect(new Set(taken.map(blockOf)).size).toBe(1);
  for (const address of taken)
    expect(address).toMatch(/^127\.0\.(?:[2-9]|\d\d|[12]\d\d)\.(?:[1-9]|\d\d|1\d\d|2[0-4]\d|250)$/);
  await addresses.release();
});

test('those of a process that was killed are free for another one', async () => {
  const module = join(__dirname, '../../../dist/rehearsal/tasks/addresses.js');
  const code = `require(${JSON.stringify(module)}).Addresses.claim().then((all) => console.log(all.take())); setInterval(() => 0, 1e6)`;
  const other = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [address] = (await once(createInterface({ input: other.stdout }), 'line')) as [string];
  const pid = other.pid!;
  const isTaken = async () => {
    // Claims begin at a block that is of the process id, as the other one's did.
    const claimed = await claimAs(pid);
    const block = blockOf(claimed.take());
    await claimed.release();
    return block !== blockOf(address);
  };
  const ended = once(other, 'exit');
  try {
    expect(await isTaken()).toBe(true);
  } finally {
    other.kill('SIGKILL');
    await ended;
  }
  expect(await isTaken()).toBe(false);
});

async function claimAs(pid: number): Promise<Addresses> {
  const own = Object.getOwnPropertyDescriptor(process, 'pid')!;
  Object.defineProperty(process, 'pid', { ...own, value: pid });
  try {
    return await Addresses.claim();
  } finally {
    Object.defineProperty(process, 'pid', own);
  }
}
