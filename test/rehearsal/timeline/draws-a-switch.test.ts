import { XMLParser, XMLValidator } from 'fast-xml-parser';
import type { SwitchEvent } from '../../../core/switch/switch-trace';
import type { SwitchRecord } from '../../../core/switch/switch-record';
import { switchLine } from '../../../rehearsal/report/switch-seen';
import { switchChart, switchImage } from '../../../rehearsal/timeline/switch-chart';
import { listSwitchLines } from '../../../rehearsal/timeline/switch-lines';
import { describeSwitch } from '../../../rehearsal/timeline/switch-words';
import { TracedSwitch, findTaskRows, isTraced } from '../../../rehearsal/timeline/task-phases';

const before = { committed: 0, side: 'source', isJoined: false } as const;
const handover = { epoch: 2, lastResponseMs: 93.5, firstResponseMs: 118, lastWriteMs: 90, firstWriteMs: 112.5 };

/** Two tasks of the source, one of the target. */
const COMMITTED: readonly SwitchEvent[] = [
  { atMs: -300, kind: 'begin' },
  { atMs: -200, kind: 'enlist' },
  { atMs: 0, kind: 'hold', leaseMs: 2012 },
  { atMs: 3, kind: 'task', tasks: '2', is: 'holding', inFlight: 0, abandoned: 0 },
  { atMs: 4, untilMs: 6, kind: 'task', tasks: '0-1', is: 'holding', inFlight: 12, abandoned: 0 },
  { atMs: 60, kind: 'task', tasks: '1', is: 'holding', inFlight: 0, abandoned: 0 },
  { atMs: 91, kind: 'task', tasks: '0', is: 'holding', inFlight: 0, abandoned: 0 },
  { atMs: 92, kind: 'ready', leaseMs: 1900 },
  { atMs: 92, kind: 'decide', outcome: 'commit' },
  { atMs: 100, kind: 'decision', outcome: 'commit', by: 'night' },
  { atMs: 105, untilMs: 110, kind: 'released', tasks: '0-2', to: 'target' },
  { atMs: 120, kind: 'settle', committed: 2, side: 'target', isJoined: true },
];

function record(events: readonly SwitchEvent[], over: Partial<SwitchRecord> = {}): TracedSwitch {
  const members = { source: 2, target: 1 };
  const made: SwitchRecord = {
    ...{ epoch: 2, from: 'source', to: 'target', outcome: 'commit', by: 'night', fence: 'drained' },
    ...{ startedAt: '2026-01-01T00:00:00.000Z', heldAt: '2026-01-01T00:00:00.300Z', members: 3 },
    ...{ abandoned: 0, maxWaiting: 40, heldMs: 6, emptyMs: 91, decidedMs: 100, releasedMs: 110 },
    trace: { before, members, names: ['t-a 1', 't-b 2', 't-c 3'], events },
    ...over,
  };
  if (!isTraced(made)) throw new Error('must be traced');
  return made;
}

const sentences = (of: TracedSwitch, seen?: typeof handover) => describeSwitch(of, seen).sentences;
const plain = (_: unknown, text: string) => text;

test('each task: held with its requests, nothing in flight, released, at its own times', () => {
  expect(sentences(record(COMMITTED), handover)).toEqual([
    'Times are from the first call to hold.',
    'Source 1: held at 4–6 ms with 12 in flight, of 2 tasks together, nothing in flight at 91 ms, to the target at 105–110 ms.',
    'Source 2: held at 4–6 ms with 12 in flight, of 2 tasks together, nothing in flight at 60 ms, to the target at 105–110 ms.',
    'Target 1: held with nothing in flight at 3 ms, to the target at 105–110 ms.',
    'Decision: commit at 100 ms.',
    'All tasks were released by 110 ms.',
    'The last write of the source ended at 90 ms, the first of the target began at 112.5 ms: 22.5 ms apart.',
    'Clients got the last response of the source at 93.5 ms.',
    'They got the first of the target at 118 ms.',
  ]);
});

test('one that another call had begun: what waited before is unknown, and not nothing', () => {
  const resumed: SwitchRecord = {
    ...{ ...record(COMMITTED), heldAt: undefined, isResumed: true, maxWaiting: 0 },
    ...{ heldMs: undefined, emptyMs: undefined, decidedMs: undefined, releasedMs: undefined },
  };
  const [headline] = listSwitchLines(resumed, plain);
  expect(headline).toContain('what waited before its last call began is unknown');
  expect(headline).not.toMatch(/no request waited|0 ms/);
  const writes = { sent: 2, responded: 2, lost: 0, doubled: 0, overlaps: 0, staleEpochs: 0 };
  const seen = {
    ...{ pause: { requests: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 }, handovers: [] },
    writes: { ...writes, bySide: { source: 1, target: 1 }, faults: [] },
  };
  expect(switchLine(seen, [resumed])).toMatch(/unknown: another call had begun to hold; 0 held or more;/);
  expect(switchLine(seen, [record(COMMITTED)])).toMatch(/p99 0 ms, max 0 ms as clients saw it; .*; 40 held at most;/);
});

const rows: [string, SwitchEvent[], RegExp][] = [
  [
    'an abort by a lease',
    [
      { atMs: 5, kind: 'task', tasks: '0', is: 'holding', inFlight: 1, abandoned: 0 },
      { atMs: 50, kind: 'task', tasks: '0', is: 'deciding' },
      { atMs: 70, kind: 'task', tasks: '0', is: 'notHolding', endedTo: 'source' },
    ],
    /held at 5 ms with 1 in flight, lease expired at 50 ms, to the source at 70 ms/,
  ],
  [
    'a task that dies',
    [
      { atMs: 5, kind: 'task', tasks: '0', is: 'silent' },
      { atMs: 50, kind: 'task', tasks: '0', is: 'stopped' },
    ],
    /no response at 5 ms, stopped at 50 ms/,
  ],
  [
    'a task that lost its hold',
    [
      { atMs: 1, kind: 'task', tasks: '0', is: 'notHolding' },
      { atMs: 5, kind: 'task', tasks: '0', is: 'holding', inFlight: 0, abandoned: 0 },
      { atMs: 50, kind: 'task', tasks: '0', is: 'notHolding', isRestarted: true },
    ],
    /Source 1: held with nothing in flight at 5 ms, not holding at 50 ms/,
  ],
  ['a task of which nothing is known', [], /Source 1: nothing was found of it/],
];
test.each(rows)('%s is in the words, in the chart and in the lines', (_, events, expected) => {
  const made = record(events, { outcome: 'abort', why: 'it took too long' });
  expect(sentences(made).join('\n')).toMatch(expected);
  expect(XMLValidator.validate(switchImage({ record: made, handover: undefined }, 860))).toBe(true);
  const lines = listSwitchLines(made, plain);
  expect(lines[0]).toMatch(/source to target: abort, decided 100 ms after .*, because it took too long$/);
  expect(lines[1]!.toLowerCase()).toMatch(new RegExp(expected.source.toLowerCase().replace('source 1: ', '')));
});

test('a switch back starts where the last one had led to', () => {
  const joined = { committed: 2, side: 'target', isJoined: true } as const;
  const { trace } = record([]);
  for (const { phases } of findTaskRows({ ...trace, before: joined })) {
    expect(phases).toEqual([expect.objectContaining({ name: 'serving', side: 'target' })]);
  }
});

test('of many tasks those that are alike share a row, and a chart has an end', () => {
  const members = { source: 600, target: 400 };
  const each = Array.from({ length: 90 }, (_, at): SwitchEvent => {
    return { atMs: at, kind: 'task', tasks: `${at * 2}`, is: 'holding', inFlight: 1, abandoned: 0 };
  });
  const made = record(each, { trace: { before, members, names: [], events: each } });
  const found = findTaskRows(made.trace);
  expect(found.map(({ label }) => label)).toEqual(expect.arrayContaining(['source 1', 'target 1–400']));
  expect(found).toHaveLength(92);
  expect(switchChart({ record: made, handover: undefined }, 'a', 900)).toContain('and 68 more');
});

test.each([358, 900])('everything is inside a chart of %i, and no coordinate is missing', (width) => {
  const hook: SwitchEvent[] = [
    { atMs: 60, kind: 'hook', state: 'started', fences: true },
    { atMs: 80, kind: 'hook', state: 'passed' },
  ];
  const events = [...COMMITTED.slice(0, 7), ...hook, ...COMMITTED.slice(7)];
  const svg = switchChart({ record: record(events), handover }, 'a', width);
  const [, height] = new RegExp(`viewBox="0 0 ${width} ([\\d.]+)"`).exec(svg) ?? [];
  for (const [, name = '', value] of svg.matchAll(/ (x|x1|x2|cx|y|y1|y2|cy|width|height)="([^"]*)"/g)) {
    const max = /^(x|cx|width)/.test(name) ? width : Number(height);
    expect([name, Number(value) >= 0 && Number(value) <= max]).toEqual([name, true]);
  }
  expect(svg).toMatch(/>hook<.*>source writes<.*>target writes<.*>source clients<.*>target clients</s);
  expect(svg).toContain('>decision: commit, 100 ms<');
});

test('an image stands alone: named and described for who cannot see it, readable on a dark page', () => {
  const image = switchImage({ record: record(COMMITTED), handover }, 860);
  const { svg } = new XMLParser({ ignoreAttributes: false }).parse(image) as { svg: Record<string, unknown> };
  expect(svg).toMatchObject({ '@_role': 'img', '@_aria-labelledby': 'switch-title switch-text' });
  expect(image).toContain('<title id="switch-title">Switch of epoch 2, source to target: commit</title>');
  expect(image).toMatch(/<desc id="switch-text">Times are from .* Source 1: held at 4–6 ms/);
  expect(image).toContain('@media screen and (prefers-color-scheme: dark)');
  const used = [...image.matchAll(/var\((--\w+)\)/g)].map(([, name]) => name!);
  for (const name of used) expect(image.split(`${name}: `)).toHaveLength(3);
});

test('what a decision says becomes no markup', () => {
  const made = record(COMMITTED, { why: '</desc><script>alert(1)</script>\u001b[2J' });
  expect(switchImage({ record: made, handover }, 860)).not.toMatch(/<script|\u001b/);
  expect(listSwitchLines(made, plain).join('\n')).not.toContain('\u001b');
});

test('lines for a log: the outcome, a strip for each task, and what its signs mean', () => {
  expect(listSwitchLines(record(COMMITTED), plain)).toEqual([
    'Switch of epoch 2, source to target: commit, decided 100 ms after the first call to hold, released after 110 ms',
    '  source 1  ────▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒████═══  held at 4–6 ms with 12 in flight, of 2 tasks together, nothing in flight at 91 ms, to the target at 105–110 ms',
    '  source 2  ────▒▒▒▒▒▒▒▒▒▒▒▒▒████████████═══  held at 4–6 ms with 12 in flight, of 2 tasks together, nothing in flight at 60 ms, to the target at 105–110 ms',
    '  target 1  ═══██████████████████████████═══  held with nothing in flight at 3 ms, to the target at 105–110 ms',
    '            ─ to the source  ▒ holds, requests in flight  █ holds, nothing in flight  ═ to the target',
  ]);
});

test('an attempt that held nothing, or whose trace had no room or is none of a switch, is a line', () => {
  const unheld = { ...record([]), heldAt: undefined, decidedMs: undefined, releasedMs: undefined };
  const aborted = { ...unheld, outcome: 'abort', why: 'no' } as unknown as SwitchRecord;
  const lines = listSwitchLines(aborted, plain);
  expect(lines).toEqual(['Switch of epoch 2, source to target: abort, no request waited, because no']);
  expect(listSwitchLines({ ...record([]), trace: undefined }, plain)).toHaveLength(1);
  const wrong: SwitchEvent[] = [{ atMs: 0, kind: 'released', tasks: '0-9', to: 'target' }];
  expect(listSwitchLines(record(wrong), plain)).toHaveLength(1);
});
