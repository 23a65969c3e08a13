import type { Evidence } from '../../../core/cutover/evidence';
import type { LookRecord } from '../../../core/judge/look-record';
import { parsePlan } from '../../../core/plan/plan';
import { htmlPage } from '../../../rehearsal/page/page';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { readPage } from './page-text';

const START = Date.parse('2026-01-31T23:00:00.000Z');
const at = (seconds: number) => new Date(START + seconds * 1000).toISOString();
const none = { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 };
const both = (source: number, target: number) => ({ source, target });

/** Requests and errors since the first shift, and one smoke request a look. */
function poll(seconds: number, source: [number, number], target: [number, number], odds: number): LookRecord {
  const ms = START + seconds * 1000;
  const counts = ([requests, errors]: [number, number]) => [requests + 1, requests + 1, errors, 0, 0, 0, 0, 0, 0, 1, 0];
  const report = (requests: number, slow: number) => ({
    all: [requests, requests, requests, 0, 0, requests - slow, ...Array<number>(19).fill(0), slow],
    routes: { '/cart': [requests, requests, requests, 0, 0, requests] },
  });
  return {
    ...{ kind: 'poll', at: ms, after: ms / 1000 - 10, until: ms / 1000, isServing: true, isConfirmed: true, odds },
    windows: { source: report(200, 20), target: report(100, 1) },
    counts: { source: counts(source), target: counts(target) },
  };
}

const looks: LookRecord[] = [
  {
    ...{ kind: 'begin', at: START + 1000, until: START / 1000, routes: ['/cart', '/help'] },
    past: [5000, 5000, 5000, 0, 0, 5000],
  },
  { kind: 'shift', at: START + 2000, stage: 0 },
  poll(12, [900, 1], [100, 0], 0.9),
  poll(22, [1800, 3], [200, 20], 40),
  { ...(poll(32, [2700, 5], [300, 41], 2300) as object), said: 'TargetWorse' } as LookRecord,
];

/** A canary whose target fails: the evidence of a cutover, which knows nothing of its clients. */
const rolledBack: Evidence = {
  schema: 'drainshift/evidence/1',
  outcome: 'rolled-back',
  execution: 'night-1',
  startedAt: at(0),
  durationSeconds: 40,
  plan: parsePlan({
    stages: [
      { weights: both(90, 10), bakeSeconds: 600 },
      { weights: both(0, 100), bakeSeconds: 60 },
    ],
  }),
  stages: [
    {
      ...{
        weights: both(90, 10),
        confirmed: true,
        observed: both(2700, 300),
        errors: both(5, 41),
        confirmSeconds: 2.04,
      },
      ...{ lost: both(0, 0), tasksLost: both(0, 0), verdict: 'rollBack', seconds: 30 },
      judge: {
        odds: 2300,
        parts: ['target 41 errors in 300 requests, source 5 in 2,700'],
        arrivals: 'the arrivals fit the weights',
      },
    },
  ],
  drain: {
    ...{ source: none, atStart: none, unknownTasks: 0, completed: 0, moved: 0 },
    ...{ closed: 0, forced: 0, lost: 0, unknown: 0 },
  },
  looks,
  failure: { code: 'TargetWorse', message: 'the target must be as good as the source' },
  rollback: { startedAt: at(33), restoredAt: at(34) },
  timeline: [
    { at: at(1), state: 'Lock', detail: {} },
    { at: at(2), state: 'Shift', detail: { stage: 1, weights: both(90, 10) } },
    { at: at(33), state: 'Rollback', detail: { because: 'TargetWorse' } },
    { at: at(34), state: 'Rollback', detail: { weights: both(100, 0) } },
  ],
};

/** All but the plan, which the docs describe. */
const linesOf = (evidence: Evidence) => {
  const lines = readPage(htmlPage(evidence));
  return lines.slice(0, lines.indexOf('## Plan'));
};

test('a rolled back canary, as a person reads it who was not there', () => {
  expect(linesOf(rolledBack)).toEqual([
    '# Cutover night-1',
    '(rolled-back) (not measured: what clients saw)',
    'TargetWorse: the target must be as good as the source',
    '## In short',
    'start: 2026-01-31 23:00:00 UTC',
    'duration: 40.0 s',
    'direction: source to target',
    'source: 2,700 requests, 5 errors from the first shift to the last poll',
    'target: 300 requests, 41 errors from the first shift to the last poll',
    '## What happened',
    'picture: The weights (source/target) were 100/0, then 90/10, then 100/0. The source took 2,700 requests and had 5 errors, the target 300 and 41, in 3 polls.',
    '0 is the start of the cutover, 2026-01-31 23:00:00 UTC. A dashed upright line is a change of the weights. Requests, errors and latency are what the proxies counted from the first shift on. Latencies are drawn where there were 100 responses to time.',
    'The figures as a table',
    'Requests and errors over time',
    'after the start | polls | requests source / target | responded | errors | odds',
    '2.0 s to 12.0 s | 1 | 900 / 100 | 900 / 100 | 1 / 0 | 1 : 1',
    '12.0 s to 22.0 s | 1 | 900 / 100 | 900 / 100 | 2 / 20 | 40 : 1',
    '22.0 s to 32.0 s | 1 | 900 / 100 | 900 / 100 | 2 / 21 | 2,300 : 1',
    'Latency over time',
    'after the start | side | responses | half took at most | 99 of 100 took at most',
    '2.0 s to 12.0 s | source | 200 | 1 ms | 32 ms',
    '12.0 s to 22.0 s | source | 200 | 1 ms | 32 ms',
    '22.0 s to 32.0 s | source | 200 | 1 ms | 32 ms',
    '2.0 s to 12.0 s | target | 100 | 1 ms | 1 ms',
    '12.0 s to 22.0 s | target | 100 | 1 ms | 1 ms',
    '22.0 s to 32.0 s | target | 100 | 1 ms | 1 ms',
    'Each row has at least 100 responses that the weights decided on. Latencies are rounded up, by a fifth at the most.',
    '## What the judge found',
    'picture: The highest are 2,300 : 1; at 100 : 1 the cutover rolls back.',
    'Odds of 1 : 1 say nothing, and each line of the scale is ten times the one below. The higher the line, the surer it is that the target is worse. A whole cutover has one budget: of 100 that are healthy at most one is rolled back by chance.',
    '- 90/10 was rolled back: target 41 errors in 300 requests, source 5 in 2,700; odds 1:2,300 if both were equal, over the limit of 1:100; the arrivals fit the weights',
    '### Route classes',
    'Requests by route class',
    'class | source | target',
    '/cart | 600 requests, 0 errors | 300 requests, 0 errors',
    '/help | 0 requests, 0 errors | 0 requests, 0 errors',
    '## Stages',
    'The stages',
    'weights | read back after | requests source / target | errors source / target | connections lost source / target | verdict',
    '90/10 | 2.0 s | 2,700 / 300 | 5 / 41 | 0 / 0 | rollBack',
    '## What the clients saw',
    'Only a rehearsal has clients of its own. What those of this cutover saw is not in its evidence.',
    '## The drain',
    'The drain was not begun.',
    '## What was not exercised',
    '- no request to /help came to the target',
    '## Timeline',
    'What happened when',
    'after the start | UTC | kind | what | detail',
    '1.0 s | 23:00:01 | state | Lock | ',
    '1.0 s | 23:00:01 | judge | Compare | 5,000 responses of the source say what is slow; route classes /cart, /help',
    '2.0 s | 23:00:02 | state | Shift | stage 1; weights 90/10',
    '12.0 s | 23:00:12 | polls | 2 polls | source 1,800 requests, 3 errors; target 200 requests, 20 errors; odds at most 40 : 1',
    '32.0 s | 23:00:32 | judge | Verdict | TargetWorse at odds of 2,300 : 1',
    '32.0 s | 23:00:32 | polls | 1 poll | source 900 requests, 2 errors; target 100 requests, 21 errors; odds at most 2,300 : 1',
    '33.0 s | 23:00:33 | state | Rollback | because TargetWorse',
    '34.0 s | 23:00:34 | state | Rollback | weights 100/0',
  ]);
});

const MANY = 100_000;
const SMALL = { all: [10, 10, 10, 0, 0, 10], routes: {} };

/** A cutover of more than a day, with a look every second. */
function long(): Evidence {
  const polls = Array.from({ length: MANY }, (_, index) => ({
    ...poll(3 + index, [10 * (index + 1), Math.floor(index / 100)], [2 * (index + 1), 0], index === 70_001 ? 77 : 1),
    windows: { source: SMALL, target: SMALL },
  }));
  return { ...rolledBack, durationSeconds: MANY + 10, looks: [...looks.slice(0, 2), ...polls] };
}

test('a hundred thousand polls are a page of less than a megabyte, whose sums leave nothing out', () => {
  const page = htmlPage(long());
  expect(page.length).toBeLessThan(1_000_000);
  const lines = readPage(page);
  expect(lines).toContain(
    `source: ${(10 * MANY).toLocaleString('en-US')} requests, 999 errors from the first shift to the last poll`,
  );
  const first = lines.findIndex((line) => line.startsWith('after the start | polls'));
  const rows = lines.slice(first + 1, lines.indexOf('Latency over time')).map((line) => line.split(' | '));
  const sum = (column: number, side: number) =>
    rows.reduce((all, row) => all + Number(row[column]!.split(' / ')[side]!.replaceAll(',', '')), 0);
  expect(rows.reduce((all, [, count]) => all + Number(count), 0)).toBe(MANY);
  expect([sum(2, 0), sum(2, 1), sum(4, 0), sum(4, 1)]).toEqual([10 * MANY, 2 * MANY, 999, 0]);
  // The one look in which they were high.
  expect(rows.filter((row) => row[5] === '77 : 1')).toHaveLength(1);
  expect(page).toContain(`${MANY.toLocaleString('en-US')} polls are drawn as 240 steps`);
});

test('polls that are close together are one step: the rate of some milliseconds is none', () => {
  const lines = readPage(
    htmlPage({ ...rolledBack, looks: [...looks.slice(0, 3), poll(12.01, [905, 1], [103, 0], 0.9), looks[4]!] }),
  );
  expect(lines).toContain('12.0 s to 32.0 s | 2 | 1,800 / 200 | 1,800 / 200 | 4 / 41 | 2,300 : 1');
});

test('what a poll could not read is unknown and no zero, and is in the figures of the next one that could', () => {
  const blind = { ...(poll(22, [0, 0], [0, 0], 1) as object), windows: undefined } as LookRecord;
  const lines = readPage(htmlPage({ ...rolledBack, looks: [...looks.slice(0, 3), blind, looks[4]!] }));
  expect(lines).toContain('2.0 s to 12.0 s | 1 | 900 / 100 | 900 / 100 | 1 / 0 | 1 : 1');
  expect(lines).toContain('12.0 s to 22.0 s | 1 | unknown | unknown | unknown | 1 : 1');
  expect(lines).toContain('12.0 s to 32.0 s | 1 | 1,800 / 200 | 1,800 / 200 | 4 / 41 | 2,300 : 1');
  expect(lines).toContain('- 1 of 3 polls could not read both sides');
});

test('a drain is drawn by what became of its connections, and what is unknown is said', () => {
  const drain = {
    ...{ source: { ...none, streaming: 1 }, atStart: { ...none, websocket: 50, streaming: 9 }, unknownTasks: 2 },
    ...{ completed: 20, moved: 7, closed: 26, forced: 3, lost: 1, unknown: 1 },
  };
  const timeline = [...rolledBack.timeline, { at: at(36), state: 'Drain', detail: {} }];
  const lines = readPage(htmlPage({ ...rolledBack, drain, timeline }));
  expect(lines[1]).toBe(
    '(rolled-back) (1 connections lost with their task) (3 connections forced to end) (1 connections ended unseen) (not measured: what clients saw)',
  );
  expect(lines).toEqual(
    expect.arrayContaining([
      'picture: Live at the start, by kind: WebSocket connections 50, other streaming responses 9. ' +
        'How they ended: ended by themselves 20, moved 7, closed in order 26, forced 3, lost with their task 1, ended unseen 1. ' +
        'Live at the last poll: all kinds 1.',
      'WebSocket connections | 50 | 0',
      'closed in order | 26',
      '2 tasks of the source did not respond at the last poll: what they held is unknown.',
    ]),
  );
});

test('a drain whose evidence says so shows how the connections of each kind ended, and what of it is unknown', () => {
  const end = { moved: 0, closed: 26, lost: 1, unknown: 0 };
  const drain = {
    ...{ source: none, atStart: { ...none, websocket: 50, streaming: 3 }, unknownTasks: 0 },
    ...{ completed: 23, moved: 0, closed: 26, forced: 3, lost: 1, unknown: 0 },
    byKind: { websocket: { completed: 22, forced: 1, ...end }, streaming: { ...end, closed: 0, lost: 0 } },
  } as unknown as Evidence['drain'];
  const timeline = [...rolledBack.timeline, { at: at(36), state: 'Drain', detail: {} }];
  expect(readPage(htmlPage({ ...rolledBack, drain, timeline }))).toEqual(
    expect.arrayContaining([
      'kind | at its start | at its end | ended by themselves | moved | closed in order | forced | lost with their task | ended unseen',
      'WebSocket connections | 50 | 0 | 22 | 0 | 26 | 1 | 1 | 0',
      'other streaming responses | 3 | 0 | unknown | 0 | 0 | unknown | 0 | 0',
    ]),
  );
});

test('the page says by whom the weights were changed, what a hook said, and when something was broken on purpose', () => {
  const traffic = {} as RehearsalEvidence['traffic'];
  const weights = [
    { at: at(2.1), weights: both(90, 10), by: 'shift' },
    { at: at(20), weights: both(50, 50), by: 'a person' },
  ];
  const rehearsal = {
    weights,
    fault: 'target-errors@bake',
    faultBeganSeconds: 5,
  } as unknown as RehearsalEvidence['rehearsal'];
  const hooks = [
    { name: 'self-test', when: 'afterShift', at: at(4), outcome: 'failed', why: 'the cart is empty' },
    { name: 'gate', when: 'afterBake', at: at(4.2), outcome: 'notYet', calls: 3 },
  ];
  const rehearsed = { ...rolledBack, traffic, rehearsal, hooks } as unknown as Evidence;
  const lines = readPage(htmlPage(rehearsed));
  expect(lines.filter((line) => / \| (weights|fault|hook) \| /.test(line))).toEqual([
    '4.0 s | 23:00:04 | hook | self-test | afterShift, failed: the cart is empty',
    '4.2 s | 23:00:04 | hook | gate | afterBake, said not yet, 3 calls',
    '5.0 s | 23:00:05 | fault | Fault | target-errors@bake',
    '20.0 s | 23:00:20 | weights | Weights | 50/50, set by a person',
  ]);
});
