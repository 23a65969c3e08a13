import type { HookCallRecord } from '../../../core/switch/hook';
import { CheckpointHook, DumpedCopy } from '../../../lambda/switch/checkpoint-hook';
import type { TaskSession } from '../../../lambda/contract/switch-ports';
import type { HookContext } from '../../../lambda/switch/switch-hook';
import { TwoHosts } from './two-hosts';

const STATE = {
  checkpoint: {
    ...{ documentName: 'Hosts', verifyPath: undefined },
    source: { instanceId: 'i-00000001' },
    target: { instanceId: 'i-00000002' },
  },
  ...{ http: undefined, valkey: undefined, functionArn: undefined, probeWrite: undefined },
  ...{ prepareSeconds: 60, maxBytes: 10_000_000 },
  timeoutMs: { freeze: 5_000, probeWrite: 500, transfer: 5_000, verify: 5_000, thaw: 2_000 },
};

let hosts: TwoHosts;
let notes: HookCallRecord[];
let context: HookContext;
beforeEach(() => {
  hosts = new TwoHosts(() => Date.now());
  notes = [];
  context = {
    ...({ epoch: 3, committed: 2, from: 'source', to: 'target', execution: 'night' } as const),
    ...{ sessions: () => [], signal: new AbortController().signal, note: (made) => void notes.push(made) },
  };
});

function open(copied?: DumpedCopy): CheckpointHook {
  const pause = (milliseconds: number) =>
    new Promise<void>((resolve) => setTimeout(resolve, Math.min(5, milliseconds)));
  return new CheckpointHook(STATE, { hosts, host: 'shop.example.com', now: () => Date.now(), pause }, copied);
}

test('nothing is called where the copy is not known: another call had begun the switch', async () => {
  await expect(open().run(context)).rejects.toThrow('the copy must be known');
  expect(hosts.calls).toEqual([]);
});

test('what was restored needs no thaw, and what was dumped goes on', async () => {
  await expect(open().thaw('target', context)).resolves.toBeUndefined();
  expect(hosts.calls).toEqual([]);
  await expect(open().thaw('source', context)).resolves.toBeUndefined();
  expect(hosts.calls.toSorted()).toEqual(['resume source 3', 'suspend target 3']);
  expect(notes).toMatchObject([{ part: 'thaw', side: 'source' }]);
});

test('a thaw is tried three times, and says why it failed', async () => {
  hosts.instead = () => '{"ok":false,"why":"no processes"}';
  await expect(open().thaw('source', context)).resolves.toBe("'resume' must succeed, got no processes");
  expect(notes).toHaveLength(1);
  let calls = 0;
  hosts.instead = () => ((calls += 1) < 3 ? 'half' : undefined);
  await expect(open().thaw('source', context)).resolves.toBeUndefined();
});

test('a discard undoes what was done: a fresh application, or processes that are stopped again', async () => {
  await expect(open({ id: 'copy' }).discard(context)).resolves.toBeUndefined();
  const probe = () => Promise.resolve({ wallMs: 0, tookMs: 1, status: 200 });
  const next = { ...context, epoch: 4, sessions: () => [{ probe } as unknown as TaskSession] };
  await expect(open('nothing').run(next)).resolves.toBeUndefined();
  await expect(open('nothing').discard(next)).resolves.toBeUndefined();
  expect(hosts.calls).toEqual(['discard target 3', 'suspend source 4', 'resume target 4', 'discard target 4']);
  expect(hosts.find('target').state).toBe('stopped');
});

test('a freeze is no fence, what was asked before the restore says nothing, and a thaw has its time', () => {
  expect(open()).toMatchObject({ fences: false, replaces: true, thawMs: 6_600 });
});

test('a signal that comes in a part ends the run behind it', async () => {
  const stop = new AbortController();
  hosts.before = (moment) => Promise.resolve(moment === 'run' && stop.abort());
  await expect(open({ id: 'copy' }).run({ ...context, signal: stop.signal })).rejects.toThrow();
  expect(hosts.calls).toEqual(['dump source 3']);
});

test('a late dump of an earlier epoch is none', async () => {
  await open().thaw('source', context);
  await expect(open({ id: 'copy' }).run({ ...context, epoch: 2 })).rejects.toThrow(
    "'dump' must succeed, got a call of epoch 3 came before this one of epoch 2",
  );
  expect(hosts.find('source').state).toBe('running');
});
