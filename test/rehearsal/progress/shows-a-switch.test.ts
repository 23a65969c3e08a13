import { stripVTControlCharacters } from 'node:util';
import type { SwitchRecord } from '../../../core/switch/switch-record';
import { Progress } from '../../../rehearsal/progress/progress';
import type { SwitchSample, TaskSample } from '../../../rehearsal/progress/samples';

const task = (label: string, report?: TaskSample['report']): TaskSample => {
  return { home: label.startsWith('source') ? 'source' : 'target', label, ...(report && { report }) };
};
const held = { hold: 'holding', inFlight: 12, waiting: 30, upstream: 'source' } as const;
const empty = { ...held, inFlight: 0, waiting: 41 };
const released = { hold: 'none', inFlight: 3, waiting: 0, upstream: 'target' } as const;
const sampleAt = (ms: number, report: TaskSample['report'], outcome?: 'commit'): SwitchSample => {
  return {
    atMs: Date.now() + ms,
    epoch: 7,
    to: 'target',
    outcome,
    tasks: [task('source 1', report), task('target 1')],
  };
};
const RECORD: SwitchRecord = {
  ...{ epoch: 7, from: 'source', to: 'target', outcome: 'commit', by: 'night', fence: 'drained', members: 2 },
  ...{
    startedAt: '',
    heldAt: '2026-01-01T00:00:00.000Z',
    abandoned: 0,
    maxWaiting: 41,
    decidedMs: 90,
    releasedMs: 100,
  },
  trace: {
    before: { committed: 0, side: 'source', isJoined: false },
    members: { source: 1, target: 1 },
    names: [],
    events: [{ atMs: 4, kind: 'task', tasks: '0', is: 'holding', inFlight: 12, abandoned: 0 }],
  },
};

function write(isTTY: boolean): string {
  let text = '';
  const out = {
    isTTY,
    columns: 200,
    write: (chunk: string) => ((text += chunk), true),
  } as unknown as NodeJS.WriteStream;
  const progress = new Progress(out);
  progress.switching(sampleAt(0, held));
  progress.switching(sampleAt(50, { ...held, waiting: 35 }));
  progress.switching(sampleAt(100, empty));
  progress.switching(sampleAt(150, released, 'commit'));
  progress.switched(RECORD);
  return text;
}

test('a log gets a line when a task is in another state, and the timeline at its end', () => {
  const lines = write(false).trimEnd().split('\n');
  expect(lines.slice(0, 3).map((line) => line.slice(8))).toEqual([
    'switch of epoch 7 to the target: undecided | source 1 held, 12 in flight, 30 waiting | target 1 does not respond',
    'switch of epoch 7 to the target: undecided | source 1 held, 0 in flight, 41 waiting | target 1 does not respond',
    'switch of epoch 7 to the target: commit | source 1 forwards to the target, 3 in flight | target 1 does not respond',
  ]);
  expect(lines[3]).toMatch(/^\S+ Switch of epoch 7, source to target: commit, decided 90 ms/);
  expect(lines[4]).toMatch(/^ {2}source 1 {2}─+▒+ {2}held at 4 ms with 12 in flight$/);
});

test('a terminal gets a line for each task that is drawn anew, and keeps the timeline', () => {
  const text = write(true);
  const words = stripVTControlCharacters(text);
  expect(words.match(/source 1 {2,}held, 12 in flight, 3[05] waiting/g)).toHaveLength(2);
  // Up over three lines each time; the last time for the timeline, which is not taken away.
  expect(text.match(/\x1b\[3A\x1b\[0J/g)).toHaveLength(4);
  expect(text.slice(text.lastIndexOf('\x1b[0J'))).toContain('Switch of epoch 7, source to target: commit');
});
