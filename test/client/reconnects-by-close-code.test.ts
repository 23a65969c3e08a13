import { follow, recordWaits, startSocketServer, stopAll, until } from './support/hostile-server';

afterEach(stopAll);

const AGAIN = [1001, 1011, 1012, 1013, 1014];
const FINAL = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 3999, 4000, 4401, 4999];

test.each(AGAIN)('Close %i: connects again, and handlers see it', async (code) => {
  const server = await startSocketServer((socket, number) => number === 1 && socket.close(code, 'why'));
  const { socket, said } = follow(server.url);
  const reasons: string[] = [];
  socket.addEventListener('close', ({ reason, wasClean }) => reasons.push(`${reason} ${wasClean}`));
  await until(() => said.length === 3);
  expect(said).toEqual(['open 1', `close ${code} 0`, 'open 1']);
  expect(reasons).toEqual(['why true']);
});

test.each(FINAL)('Close %i: it is the end', async (code) => {
  const server = await startSocketServer((socket) => socket.close(code));
  const { socket, said } = follow(server.url);
  await until(() => said.length === 2);
  expect(said).toEqual(['open 1', `close ${code} 3`]);
  // What would connect again would have begun to wait.
  expect(socket.readyState).toBe(3);
  expect(server.paths).toHaveLength(1);
});

test('without a code, and without a Close: connects again', async () => {
  const server = await startSocketServer((socket, number) => {
    if (number === 1) socket.close();
    if (number === 2) socket.terminate();
  });
  const { said } = follow(server.url);
  await until(() => said.filter((each) => each === 'open 1').length === 3);
  expect(said.filter((each) => each !== 'error')).toEqual([
    ...['open 1', 'close 1005 0', 'open 1'],
    ...['close 1006 0', 'open 1'],
  ]);
});

test('the application decides: `reconnect` comes before the codes, and counts the waits', async () => {
  const server = await startSocketServer((socket, number) => socket.close(number === 1 ? 4000 : 1012));
  const asked: string[] = [];
  const { said } = follow(server.url, undefined, {
    reconnect: ({ code }, tries) => {
      asked.push(`${code} ${tries}`);
      return code === 4000 ? true : tries < 3 ? undefined : false;
    },
  });
  await until(() => said.at(-1) === 'close 1012 3');
  expect(asked).toEqual(['4000 0', '1012 1', '1012 2', '1012 3']);
});

test('a restart is a quarter of the usual wait, drawn', async () => {
  const waits = recordWaits(0.5);
  const server = await startSocketServer((socket, number) => {
    socket.close([1012, 1001, 1013][number - 1] ?? 1000);
  });
  const { said } = follow(server.url, undefined, { minDelayMs: 8, maxDelayMs: 1000 });
  await until(() => said.at(-1) === 'close 1000 3');
  // Half of 8 · 2ⁿ, and a quarter of that for 1012 and 1013.
  expect(waits()).toEqual([1, 8, 4]);
});
