import { eachKind } from '../../../core/proxy/connections';
import { parsePlan } from '../../../core/plan/plan';
import { RehearsalEvidence, rehearsalEvidence, withoutEvidence } from '../../../rehearsal/report/evidence';
import { chooseExitCode } from '../../../rehearsal/report/exit-code';
import { NO_CONNECTIONS } from '../../../core/proxy/connections';
import { htmlPage } from '../../../rehearsal/page/page';
import { Progress } from '../../../rehearsal/progress/progress';
import { Sample } from '../../../rehearsal/progress/samples';
import { summarize } from '../../../rehearsal/report/summary';
import { TrafficTally } from '../../../rehearsal/traffic/counting/tally';

const NOTHING = { completed: 0, moved: 0, closed: 0, forced: 0, lost: 0, unknown: 0 };

const none = { http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 };
const RIGHT = { reads: 6000, uploads: 1044, sessions: 1000, writes: 0, expectedErrors: 0 };
const NO_USE = { reads: 0, uploads: 0, sessions: 0, writes: 0 };

/** Of requests: none of these kinds was sent. */
function usedNo(...kinds: (keyof typeof NO_USE)[]) {
  const none = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  return { right: { ...RIGHT, ...none }, tried: { ...RIGHT, ...none } };
}
const traffic: TrafficTally = {
  http: {
    clients: 100,
    sent: 8044,
    ok: 8044,
    failed: 0,
    retried: 0,
    unsent: 0,
    right: RIGHT,
    tried: RIGHT,
    p50Ms: 8.5,
    p99Ms: 20,
    longestStallMs: 8120,
  },
  websocket: {
    clients: 200,
    opened: 500,
    sent: 7987,
    received: 7987,
    lost: 0,
    duplicated: 0,
    outOfOrder: 0,
    refused: 0,
    closedCleanly: 500,
    closedByServer: 0,
    dropped: 0,
    longestGapMs: 350,
    longestStallMs: 410,
  },
  serverSentEvents: {
    clients: 20,
    opened: 40,
    events: 3306,
    lost: 0,
    duplicated: 0,
    refused: 0,
    endedCleanly: 40,
    endedByServer: 0,
    dropped: 0,
    longestGapMs: 1240,
  },
  streaming: {
    clients: 10,
    asked: 180,
    whole: 180,
    cut: 0,
    truncated: 0,
    wrong: 0,
    refused: 0,
    events: 3060,
    longestGapMs: 60,
  },
  machine: { minShare: 1, notTried: 0, standstillMs: 0 },
  failures: [],
};

const change = (source: number, target: number) => ({ at: T0, weights: { source, target }, by: 'shift' });
const T0 = '2026-01-01T00:00:00.000Z';
const WAY = [change(100, 0), change(0, 100)];

function evidence(over: Partial<RehearsalEvidence> = {}, seen: TrafficTally = traffic): RehearsalEvidence {
  const base = rehearsalEvidence(
    {
      schema: 'drainshift/evidence/1',
      outcome: 'completed',
      execution: 'night',
      startedAt: '2026-01-01T00:00:00.000Z',
      durationSeconds: 37.3,
      plan: parsePlan({}),
      stages: [
        {
          weights: { source: 0, target: 100 },
          confirmed: true,
          observed: { source: 2, target: 98 },
          errors: { source: 0, target: 1 },
          lost: { source: 0, target: 0 },
          tasksLost: { source: 0, target: 0 },
          verdict: 'promote',
          seconds: 5,
        },
      ],
      drain: {
        source: none,
        atStart: { ...none, websocket: 194 },
        unknownTasks: 0,
        byKind: {
          ...eachKind(() => NOTHING),
          http: { ...NOTHING, completed: 1 },
          websocket: { ...NOTHING, completed: 10, closed: 180, forced: 3 },
        },
        completed: 11,
        moved: 0,
        closed: 180,
        forced: 3,
        lost: 0,
        unknown: 0,
      },
      timeline: [
        { at: '2026-01-01T00:00:01.000Z', state: 'Lock', detail: { note: '<script>' } },
        { at: '2026-01-01T00:00:09.000Z', state: 'Drain', detail: {} },
      ],
    },
    {
      traffic: seen,
      finalWeights: { source: 0, target: 100 },
      rehearsal: {
        command: 'drainshift rehearse --seed 1',
        version: '9.9.9',
        app: 'cdk.out',
        seed: 1,
        speed: 60,
        traffic: 1,
        seconds: 44.13,
        weights: WAY,
      },
    },
  );
  return { ...base, ...over };
}

const sample = (atMs: number, source: number, target: number): Sample => ({
  atMs,
  state: 'Bake',
  stage: 1,
  stages: 4,
  weights: { source: 90, target: 10 },
  responses: { source, target },
  wrong: 0,
  live: { source: { ...none, websocket: 5 }, target: none },
  draining: false,
  messages: 12,
});

test('the summary has what moved, in switches and in the drain, and says what is unknown of it', () => {
  const given = evidence();
  const moves = {
    moved: 62,
    rejected: { noToken: 3 },
    stall: { count: 62, p50Ms: 22.6, p99Ms: 76, longestMs: 76 },
    stallCounts: [],
    carried: { ...NO_CONNECTIONS, websocket: 50, serverSentEvents: 2 },
    carriedUnknownTasks: 1,
    carriedEnded: { completed: 0, movedBack: 0, closed: 4, forced: 0, lost: 5, unknown: 0 },
  };
  const text = summarize({ ...given, moves, drain: { ...given.drain, moved: 60, byKind: undefined } });
  expect(text).toContain('0 dropped, an unknown number moved, 0 closed');
  expect(text).toContain(
    '  moves      62 connections; stall p50 22.6 ms, p99 76 ms, longest 76 ms; carried by the source 52 (50 ws, 2 sse), and what 1 silent tasks carry; ' +
      'carried ones that ended 4 closed in order, 5 lost with their task; not moved 3 noToken',
  );
  expect(htmlPage({ ...given, moves })).toContain(
    'Its application gave no resume token, and only those that did are moved',
  );
});

test('the summary is what a ticket needs', () => {
  expect(summarize(evidence())).toBe(
    [
      'drainshift rehearsal: completed in 37.3 s (44.1 s with start-up), nothing lost of what was tried; NOT TRIED: gRPC',
      '  cutover    100/0 → 0/100; read back at the end: 0/100',
      '  http       8,044 requests, 0 failed, p50 8.5 ms, p99 20.0 ms, longest stall 8.1 s',
      '  websocket  500 opened, 7,987 messages, 0 lost, 0 doubled, 0 out of order, 0 dropped, 0 moved, 0 closed, longest gap 0.3 s, longest stall 0.4 s',
      '  sse        40 opened, 3,306 events, 0 lost, 0 dropped, 0 moved, 0 ended, longest gap 1.2 s',
      '  streaming  180 asked, 180 whole responses, 0 cut, 0 truncated, 0 wrong, longest gap 0.1 s',
      '  drain      source from 194 live connections to 0: 11 by themselves, 0 moved, 180 closed, 3 forced (http 1 by themselves; ws 10 by themselves, 180 closed, 3 forced)',
    ].join('\n'),
  );
});

test('the calls of hooks are counted, and each that failed is there with its reason', () => {
  const call = { name: 'self-test', when: 'afterShift', stage: 1, attempt: 1, at: '', seconds: 0.1 } as const;
  const hooks = [
    { ...call, outcome: 'passed' },
    { ...call, stage: 2, outcome: 'failed', why: 'the cart is empty' },
  ] as const;
  expect(summarize({ ...evidence(), hooks, hooksLeftOut: 3 })).toContain(
    "  hooks      4 calls passed; 'self-test' (afterShift, stage 2) failed: the cart is empty",
  );
  expect(summarize(evidence())).not.toContain('hooks');
});

test('what a slow machine could not carry is said in summary and page, and a machine that carried all says nothing', () => {
  const slow = { ...traffic, machine: { minShare: 0.353, notTried: 12_400, standstillMs: 145_600 } };
  const said =
    'the traffic was reduced to 35 % at the least, 12,400 requests and messages not tried: this machine could not carry more; ' +
    'this machine was short of processor time for 145.6 s; time limits leave that out; latencies of this run say nothing about AWS';
  expect(summarize(evidence({}, slow))).toContain(`  machine    ${said}`);
  expect(htmlPage(evidence({}, slow))).toContain(said);
  expect(chooseExitCode(evidence({}, slow))).toBe(0);
  expect(summarize(evidence())).not.toContain('this machine');
});

test("what a user's own clients lost is lost, and said in the headline, the summary and the page", () => {
  const webSockets = { opened: 3, live: 1, closed: 2, dropped: 0, left: 0, timedOut: 0 };
  const ownClients = {
    requests: 1203,
    failed: 0,
    refused: 0,
    left: 0,
    statuses: { 101: 3, 200: 1200 },
    webSockets,
    failures: [],
  };
  const whole = summarize(evidence({ ownClients }));
  expect(whole).toContain(
    '  yours      1,203 requests of your own clients (101: 3, 200: 1,200), 0 failed; 3 WebSockets, 2 closed in order, 0 dropped, 1 still open',
  );
  expect(whole.split('\n')[0]).toContain('nothing lost');
  expect(summarize(evidence({ ownClients: { ...ownClients, requests: 0 } }))).not.toContain('yours');

  const failures = ['12:00 your own client 127.0.0.1: GET /<b> got 502'];
  const lossy = evidence({
    ownClients: { ...ownClients, failed: 1, webSockets: { ...webSockets, dropped: 2 }, failures },
  });
  const [headline] = summarize(lossy).split('\n');
  expect(headline).toContain(
    'LOST: 1 of 1,203 requests of your own clients failed, 2 WebSockets of your own clients dropped',
  );
  expect(summarize(lossy)).toContain(`  ! ${failures[0]}`);
  const page = htmlPage(lossy);
  expect(page).toContain('<span class="pill bad">1 of 1,203 requests of your own clients failed</span>');
  expect(page).toContain('GET /&lt;b&gt; got 502');
  expect([chooseExitCode(evidence({ ownClients })), chooseExitCode(lossy)]).toEqual([0, 4]);
});

/** What is known of an execution that was stopped by hand, without an error and without a cause. */
const stopped = () => {
  const at = new Date(T0);
  const execution = { arn: 'a', name: 'night', machineArn: 'm', input: '{}', startedAt: at, stoppedAt: at };
  const entered = [{ state: 'Shift', at }];
  return withoutEvidence({ ...execution, status: 'ABORTED', error: '', cause: '', entered }, parsePlan({}));
};

test('a stopped execution is described by what the load balancer received, and by what recover did', () => {
  const { rehearsal } = evidence();
  const recovery = { outcome: 'givenUp', status: 'ABORTED', calls: 121, seconds: 363, error: 'S3 503' } as const;
  const way = [change(100, 0), change(50, 50)];
  const lost = { ...stopped(), finalWeights: { source: 50, target: 50 } };
  const text = summarize(evidence({ ...lost, rehearsal: { ...rehearsal, weights: way, recovery } }));
  expect(text).toContain('cutover    100/0 → 50/50; read back at the end: 50/50');
  expect(text).toContain('because    Unexpected: the execution ended as ABORTED and left no evidence');
  expect(text).toContain('drain      not begun');
  expect(text).toContain(
    'recovery   the execution ended as ABORTED; recover WAS GIVEN UP: look at the weights and the lock, 121 calls, ' +
      '363.0 s after its end; the last error: S3 503',
  );
  const restored = { outcome: 'restored', status: 'ABORTED', calls: 1, seconds: 36 } as const;
  const back = { ...rehearsal, weights: [...way, change(100, 0)], recovery: restored };
  const notified = summarize(evidence({ ...lost, outcome: 'rolled-back', rehearsal: back }));
  expect(notified).toContain('100/0 → 50/50 → 100/0');
  expect(notified).toContain('recover put back what was left, 1 call, 36.0 s after its end');
});

test('that no weight was changed is said of the weights, not of an evidence without stages', () => {
  const { rehearsal } = evidence();
  const refused = evidence({ stages: [], finalWeights: { source: 100, target: 0 } });
  const still = summarize({ ...refused, rehearsal: { ...rehearsal, weights: [change(100, 0)] } });
  expect(still).toContain('no weight was changed; read back at the end: 100/0');
  expect(summarize({ ...refused, rehearsal })).toContain('cutover    100/0 → 0/100; read back at the end: 100/0');
});

test('a loss is shouted, with the first of what went wrong', () => {
  const lost = { ...traffic, http: { ...traffic.http, failed: 1 }, failures: ['12:00 echo: expected 200, got 502'] };
  const text = summarize(evidence({}, lost));
  expect(text).toContain(', LOST: 1 of 8,044 requests failed; NOT TRIED:');
  expect(text).toContain('! 12:00 echo: expected 200, got 502');
});

test('a rollback reports its reason, and the time from the first bad response to the restored weights', () => {
  const rollback = {
    decidedAt: '2026-01-01T00:00:09.500Z',
    startedAt: '2026-01-01T00:00:10.000Z',
    restoredAt: '2026-01-01T00:00:12.500Z',
  };
  const rolledBack = rehearsalEvidence(
    { ...evidence(), outcome: 'rolled-back', rollback, failure: { code: 'BreakerTripped', message: 'too many' } },
    {
      traffic: { ...traffic, firstBadResponseAt: '2026-01-01T00:00:08.000Z' },
      finalWeights: { source: 100, target: 0 },
      rehearsal: evidence().rehearsal,
    },
  );
  expect(rolledBack.rollback).toEqual({
    ...rollback,
    firstBadResponseAt: '2026-01-01T00:00:08.000Z',
    secondsToVerdict: 1.5,
    secondsFromFirstBadResponse: 4.5,
  });
  expect(summarize(rolledBack)).toContain('because    BreakerTripped: too many');
  expect(summarize(rolledBack)).toContain(
    'restored 4.5 s after the first bad response: the verdict after 1.5 s, the weights read back 3.0 s later',
  );
});

const samples = [0, 500, 1000, 1500, 2000].map((ms) => sample(Date.parse(T0) + ms, ms / 10, ms / 100));
const findPage = (over: Partial<RehearsalEvidence> = {}, seen?: TrafficTally) =>
  htmlPage(evidence(over, seen), samples);

/** Everything that an assembly, a plan or a backend can write into a report. */
const HOSTILE = `<script>alert(1)</script>" onload='x' \u001b[2J\u009b31m\u202e\u0007`;

test('the page fetches nothing, and no text of a template, a plan or a header becomes markup or moves a terminal', () => {
  const { rehearsal, stages, plan } = evidence();
  const hostile: Partial<RehearsalEvidence> = {
    execution: HOSTILE,
    failure: { code: 'Unexpected', message: HOSTILE },
    timeline: [{ at: T0, state: HOSTILE, detail: { [HOSTILE]: HOSTILE } }],
    plan: { ...plan, smoke: [{ path: HOSTILE, expectedStatus: 200 }] },
    stages: stages.map((stage) => ({ ...stage, verdict: HOSTILE as 'promote' })),
    rehearsal: {
      ...rehearsal,
      ...{ app: HOSTILE, command: HOSTILE, version: HOSTILE, fault: HOSTILE },
      weights: WAY.map((each) => ({ ...each, by: HOSTILE })),
      recovery: { outcome: 'restored', status: HOSTILE, calls: 1, seconds: 1, error: HOSTILE },
      redeploy: { app: HOSTILE, status: 'UPDATE_COMPLETE', reason: HOSTILE, applied: [HOSTILE], passedOver: [] },
    },
  };
  const seen = { ...traffic, failures: [HOSTILE] };
  const page = findPage(hostile, seen);
  expect(page).not.toMatch(
    /<script|<link|src=|href=|<[^>]*alert|[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/,
  );
  expect(page).toContain('&lt;script&gt;');
  expect(summarize(evidence(hostile, seen))).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
});

test('the page is green only where nothing was lost, whatever the outcome', () => {
  const failed = { ...traffic, http: { ...traffic.http, ok: 8041, failed: 3 }, failures: ['12:00 echo: got 502'] };
  expect(findPage({ outcome: 'rolled-back' })).toMatch(/class="pill good">nothing lost of what was tried</);
  const lossy = findPage({ outcome: 'completed' }, failed);
  expect(lossy).not.toContain('pill good');
  expect(lossy).toContain('<span class="pill bad">3 of 8,044 requests failed</span>');
  expect(lossy).toContain('<span class="pill unsure">not tried: gRPC</span>');
  expect(lossy).toContain('<li>12:00 echo: got 502</li>');
});

test('the page says what was run, when and how to run it again, and shows no raw JSON', () => {
  const { rehearsal } = evidence();
  const detail = { active: { http: 3, websocket: 5 }, weights: { source: 90, target: 10 }, limitSeconds: 300 };
  const timeline = [{ at: '2026-01-01T00:00:01.500Z', state: 'Drain', detail }];
  const page = findPage({ timeline, rehearsal: { ...rehearsal, fault: 'alarm', faultBeganSeconds: 3 } });
  for (const text of [
    'drainshift rehearse --seed 1',
    'drainshift 9.9.9',
    'cdk.out',
    'alarm, from 3.0 s after the start',
    '2026-01-01 00:00:00 UTC',
  ]) {
    expect(page).toContain(`<dd>${text}</dd>`);
  }
  expect(page).toContain('1.5 s</td>');
  expect(page).toContain('active: http 3, websocket 5; weights 90/10; limit seconds 300');
  expect(page.slice(page.indexOf('<body>'))).not.toMatch(/&quot;|\{|\}/);
});

test('requests, losses and connections share one time axis, with second 0 at the start of the execution', () => {
  const early = samples.map((each, index) => ({ ...each, atMs: each.atMs - 1000, wrong: index }));
  const page = htmlPage(evidence(), early);
  // A wide one, and one for a telephone.
  const pictures = [...page.matchAll(/<svg(?:(?!<\/svg>).)*"clients-\w+-title"(?:(?!<\/svg>).)*<\/svg>/gs)];
  expect(pictures).toHaveLength(2);
  const [[wide] = ['']] = pictures;
  // Responses of both sides, losses, and the connections of the source.
  expect(wide.match(/<polygon/g)).toHaveLength(4);
  expect([...wide.matchAll(/>(-?\d+) s</g)].map(([, at]) => Number(at))).toEqual([-1, 0, 1]);
  expect(wide).toContain('Losses per second');
});

test.each([
  [{ http: { ...traffic.http, ...usedNo('uploads', 'sessions') } }, ['uploads', 'sessions']],
  [{ websocket: { ...traffic.websocket, received: 0, opened: 0 } }, ['WebSockets']],
  [{ serverSentEvents: { ...traffic.serverSentEvents, events: 0, opened: 0 } }, ['event streams']],
  [
    { http: { ...traffic.http, right: { ...NO_USE, expectedErrors: 900 }, tried: NO_USE } },
    ['GET requests (all 900 responses were the errors that the plan expects)', 'uploads', 'sessions'],
  ],
])('what was never tried is named in the headline: %#', (seen, names) => {
  const [headline = ''] = summarize(evidence({}, { ...traffic, ...seen })).split('\n');
  expect(headline).toContain(`NOT TRIED: ${[...names, 'gRPC'].join(', ')}`);
});

test.each([
  [{ http: { ...traffic.http, right: { ...RIGHT, uploads: 0 }, failed: 9 } }, 'uploads'],
  [{ websocket: { ...traffic.websocket, received: 0, dropped: 3 } }, 'WebSockets'],
  [{ serverSentEvents: { ...traffic.serverSentEvents, events: 0, opened: 0, dropped: 2 } }, 'event streams'],
  [{ streaming: { ...traffic.streaming, asked: 4, whole: 0, cut: 4 } }, 'streaming responses'],
])('what was tried and never right is a loss, and not what was not tried: %#', (seen, name) => {
  const [headline = ''] = summarize(evidence({}, { ...traffic, ...seen })).split('\n');
  expect(headline).toContain(`never right: ${name}; NOT TRIED: gRPC`);
});

test('a log gets a line now and then, a terminal a block that is drawn anew', () => {
  const write = (isTTY: boolean) => {
    let text = '';
    const out = {
      isTTY,
      columns: 200,
      write: (chunk: string) => ((text += chunk), true),
    } as unknown as NodeJS.WriteStream;
    const progress = new Progress(out);
    const now = Date.now();
    for (const ms of [3000, 3500, 6000]) progress.progress(sample(now + ms, ms, 0));
    return text;
  };
  const lines = write(false).trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(
    /Bake +stage 1\/4 weights 90\/10 +wrong 0 \| source 1000 req\/s, http 0 ws 5 grpc 0 sse 0 streaming 0 \| target 0 req\/s/,
  );
  // Moves up over the block and clears it, twice.
  expect(write(true).match(/\x1b\[5A\x1b\[0J/g)).toHaveLength(2);
});

test('what a template or a backend says moves no terminal and forges no line', () => {
  let text = '';
  const out = { isTTY: false, write: (chunk: string) => ((text += chunk), true) } as unknown as NodeJS.WriteStream;
  new Progress(out).step(`task 'a\u001b]0;x\u0007' said\n00:00.1 completed`);
  expect(text).toMatch(/^\S+ task 'a\\x1b\]0;x\\x07' said\\x0a00:00\.1 completed\n$/);
});

test('a redeploy in the middle is reported with what became of the weights', () => {
  const redeploy = {
    app: 'next',
    status: 'UPDATE_COMPLETE',
    applied: ["'Rule' (Custom::Rule)"],
    passedOver: [],
    weightsBefore: { source: 90, target: 10 },
    weightsAfter: { source: 90, target: 10 },
  } as const;
  const { rehearsal } = evidence();
  const line = (over: object) =>
    summarize(evidence({ rehearsal: { ...rehearsal, redeploy: { ...redeploy, ...over } } }))
      .split('\n')
      .find((each) => each.includes('redeploy'));
  expect(line({})).toBe('  redeploy   UPDATE_COMPLETE, 1 resources changed, weights 90/10 before and 90/10 after');
  expect(line({ status: 'UPDATE_ROLLBACK_COMPLETE', applied: [], reason: 'held' })).toBe(
    '  redeploy   UPDATE_ROLLBACK_COMPLETE, 0 resources changed (held), weights 90/10 before and 90/10 after',
  );
});

test('a switch that did not keep to the protocol fails the rehearsal, and says the first wrong event', () => {
  const events = [
    { atMs: 0, kind: 'begin' },
    { atMs: 1, kind: 'enlist' },
    { atMs: 2, kind: 'decide', outcome: 'commit' },
  ];
  const before = { committed: 0, side: 'source', isJoined: false };
  const trace = { before, members: { source: 1, target: 0 }, names: [], events };
  const ends = { epoch: 1, from: 'source', to: 'target', outcome: 'commit', by: 'night', members: 1, fence: 'drained' };
  const broken = { ...evidence(), switches: [{ ...ends, trace }] } as unknown as RehearsalEvidence;
  expect(chooseExitCode(evidence())).toBe(0);
  expect(chooseExitCode(broken)).toBe(1);
  expect(summarize(broken)).toMatch(
    /\n {2}! epoch 1, event 3 \(decide outcome=commit\): a commit needs every task to hold/,
  );
});

test('a fault that never began fails the rehearsal; one that began is named with its time', () => {
  const withFault = (more: object) => {
    const { rehearsal, ...rest } = evidence();
    return { ...rest, rehearsal: { ...rehearsal, fault: 'target-errors@drain', ...more } };
  };
  const began = withFault({ faultBeganSeconds: 12.34 });
  expect([chooseExitCode(began), chooseExitCode(withFault({}))]).toEqual([0, 1]);
  expect(summarize(began)).toContain('\n  fault      target-errors@drain began 12.3 s after the start');
  expect(summarize(withFault({}))).toContain('target-errors@drain NEVER BEGAN: the cutover did not come to its phase');
});

/** One attempt that was committed, one that held nothing, and one whose trace no switch can have written. */
const attempts = [
  { epoch: 1, outcome: 'abort', why: 'no <b>' },
  { epoch: 2, outcome: 'commit', heldAt: T0, decidedMs: 90, releasedMs: 99, tasks: '0' },
  { epoch: 3, outcome: 'abort', heldAt: T0, why: 'late', tasks: '0-9' },
].map(({ tasks, ...each }) => {
  const found = { atMs: 4, kind: 'task', tasks, is: 'holding', inFlight: 3, abandoned: 0 };
  const before = { committed: 0, side: 'source', isJoined: false };
  const trace = { before, members: { source: 1, target: 0 }, names: ['<i> 1'], events: tasks ? [found] : [] };
  return { from: 'source', to: 'target', ...each, trace };
});

test('the page draws each attempt to switch, wide and narrow, and says in words what cannot be drawn', () => {
  const handovers = [{ epoch: 2, lastWriteMs: 80, firstWriteMs: 95.5 }];
  const writes = {
    sent: 0,
    lost: 0,
    doubled: 0,
    overlaps: 0,
    staleEpochs: 0,
    bySide: { source: 0, target: 0 },
    faults: [],
  };
  const switchSeen = { writes, pause: { p50Ms: 0, p99Ms: 0, maxMs: 0 }, handovers };
  const page = findPage({ switches: attempts, switchSeen } as unknown as Partial<RehearsalEvidence>);
  expect(page.match(/<svg class="tl"/g)).toHaveLength(2);
  const ids = [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining(['switch-2-wide-title', 'switch-2-narrow-text']));
  expect(page).toContain('<h3>Switch of epoch 1, source to target: abort</h3>');
  expect(page).toMatch(/Because no &lt;b&gt;\.<\/p>\n<p class="note">No request waited/);
  expect(page).toContain('the first of the target began at 95.5 ms: 15.5 ms apart');
  expect(page).toContain('data-label="found">held at 4 ms with 3 in flight</td>');
  expect(page).toContain('cannot be drawn: &#39;tasks&#39; must be from 0 to 0, got 0-9');
  expect(page).not.toContain('<i>');
});
