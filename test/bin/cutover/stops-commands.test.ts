import { until } from '../../support/until';
import { Command, Ended } from '../../rehearsal/command';
import { Night, lockOf, startNight } from './night';

let night: Night;
/** Calls that have come and get no response. */
let waiting: number;
beforeEach(async () => {
  waiting = 0;
  night = await startNight({}, { invoke: hang });
});
afterEach(() => night.cloud.stop());

const hang = () => {
  waiting += 1;
  return new Promise<never>(() => undefined);
};
const begin = (...flags: string[]) => new Command([...flags, '--stack', 'shop']);

/** Each of them, stopped by one signal once all wait for a response. */
async function stop(signal: NodeJS.Signals, commands: readonly Command[]): Promise<Ended[]> {
  await until(() => waiting === commands.length);
  for (const command of commands) command.signal(signal);
  return Promise.all(commands.map(({ ended }) => ended));
}

test('a command that is stopped before it has changed anything ends at once, and says so', async () => {
  night.cloud.endpoint.faults.set({ action: 'DescribeStacks' }, { kind: 'wait', until: hang });
  const verbs = ['start --yes', 'approve --yes', 'abort --yes', 'rollback --yes', 'status', 'watch', 'history'];
  const ended = await stop(
    'SIGINT',
    verbs.map((verb) => begin(...verb.split(' '))),
  );
  const untouched = ['started', 'written', 'changed', 'started', 'changed', 'changed', 'changed'];
  expect(ended).toEqual(untouched.map((what) => ({ code: 1, output: `drainshift: stopped: nothing was ${what}\n` })));
});

test('so does one that is about to change something, and one that waits for a function', async () => {
  night.put('night', 'Bake');
  night.cloud.endpoint.faults.set({ action: 'GetCallerIdentity' }, { kind: 'wait', until: hang });
  const [abort] = await stop('SIGTERM', [begin('abort', '--yes')]);
  expect([abort?.code, abort?.output]).toEqual([
    1,
    expect.stringMatching(/^drainshift: stopped: nothing was changed$/m),
  ]);
  expect(night.read('abort/night.json')).toBeUndefined();
  night.end('night', 'SUCCEEDED');
  waiting = 0;
  const [doctor, undrain] = await stop('SIGTERM', [begin('doctor'), begin('undrain')]);
  expect(doctor).toEqual({ code: 1, output: 'drainshift: stopped: nothing was changed\n' });
  expect(undrain).toEqual({
    code: 1,
    output:
      'drainshift: not followed any more: the proxies of the source may serve again all the same. Run the command again\n',
  });
});

test('a closed pipe is no crash: a command that follows ends, and the cutover goes on', async () => {
  night.put('night', 'Bake');
  night.write('lock.json', lockOf('night'));
  const watch = begin('watch', '--json');
  await watch.says(/"Bake"/);
  watch.stopReading();
  night.put('night', 'Drain');
  expect((await watch.ended).code).toBe(1);
  expect(watch.output).toMatch(/\ndrainshift: not watched any more: 'night' goes on\n$/);
  const plan = new Command(['plan', 'init']);
  plan.stopReading();
  expect(await plan.ended).toEqual({ code: 0, output: '' });
});
