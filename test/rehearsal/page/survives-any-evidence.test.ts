import fc from 'fast-check';
import type { Evidence } from '../../../core/cutover/evidence';
import { htmlPage } from '../../../rehearsal/page/page';
import { readPage } from './page-text';

const HOSTILE = [
  `<script>alert(1)</script>" onload='x' \u001b[2J\u009b31m\u202e\u0007 ]]> &amp; <!--`,
  'w'.repeat(5_000),
  '\ud800',
  '\uffff',
  '__proto__',
  '',
];
const text = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary', maxLength: 20 }));
const number = fc.oneof(
  fc.constantFrom(NaN, Infinity, -Infinity, -1, 0, 1e300, 8.64e15, Number.MIN_VALUE),
  fc.double(),
  fc.integer({ min: 0, max: 1_000 }),
);
const time = fc.oneof(
  fc.constantFrom('2026-01-31T23:00:00.000Z', '2026-01-31T23:10:00.000Z', '+275760-09-13T00:00:00.000Z', 'no time'),
  text,
);
const anything: fc.Arbitrary<unknown> = fc.oneof(
  text,
  number,
  fc.constantFrom(null, undefined, true, [], {}),
  fc.object(),
);

/** An object that has all of these, or some of them, or something else in their places. */
const some = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> => {
  const each = Object.entries(fields).map(([name, value]) => [
    name,
    fc.oneof({ weight: 9, arbitrary: value }, { weight: 1, arbitrary: anything }),
  ]);
  return fc.record(Object.fromEntries(each) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] });
};
const many = (item: fc.Arbitrary<unknown>) => fc.array(item, { maxLength: 6 });

const weights = some({ source: number, target: number });
const both = some({ source: number, target: number });
const kinds = some({ http: number, websocket: number, streaming: number });
const packed = fc.array(number, { maxLength: 12 });
const report = some({ all: packed, routes: fc.dictionary(text, packed, { maxKeys: 3 }) });
const seconds = fc.integer({ min: 1_769_900_000, max: 1_769_900_900 });
const look = some({
  kind: fc.constantFrom('begin', 'shift', 'poll', 'poll', 'poll', 'bake', 'restart'),
  at: fc.oneof(number, seconds.map((s) => s * 1000)), // prettier-ignore
  ...{ after: fc.oneof(number, seconds), until: fc.oneof(number, seconds), odds: number, said: text },
  windows: some({ source: report, target: report }),
  counts: some({ source: fc.array(number, { minLength: 11, maxLength: 11 }), target: packed }),
  ...{ routes: many(text), past: packed, stage: number },
});
const evidence = some({
  ...{ schema: text, outcome: text, execution: text, startedAt: time, durationSeconds: number },
  plan: some({ from: fc.constantFrom('source', 'target'), initialWeights: weights, stages: many(anything) }),
  stages: many(
    some({
      ...{ weights, observed: both, errors: both, lost: both, verdict: text, confirmSeconds: number },
      judge: some({ odds: number, parts: many(text), arrivals: text, missing: text }),
    }),
  ),
  drain: some({ source: kinds, target: kinds, atStart: kinds, completed: number, forced: number, lost: number }),
  switches: many(
    some({
      ...{ epoch: number, from: text, to: text, outcome: text, by: text, why: text, startedAt: time, heldAt: time },
      ...{ decidedMs: number, releasedMs: number, trace: anything },
    }),
  ),
  looks: many(look),
  looksMissing: text,
  failure: some({ code: text, message: text }),
  rollback: some({ startedAt: time, error: text, firstBadResponseAt: time }),
  timeline: many(
    some({
      state: fc.oneof(text, fc.constantFrom('Shift', 'Drain', 'Rollback', 'Verify', 'Window')),
      ...{ at: time, detail: some({ weights, stage: number, what: text }) },
    }),
  ),
  traffic: some({ failures: many(text), entries: many(anything) }),
  rehearsal: some({ app: text, fault: text, weights: many(some({ at: time, weights, by: text })) }),
});
/** Neither in a number of a picture nor in a style. */
const NO_NUMBER = /(?:points|x1?|x2|y1?|y2|width|height)="[^"]*(?:NaN|Infinity|undefined)/;
const ACTIVE = /<script|<link|<img|<iframe|\ssrc=|\shref=|<[^>]*\son\w+=|url\((?!#)/;

test('no evidence breaks the page: it is well-formed, has all of its parts and nothing that is run or fetched', () => {
  fc.assert(
    fc.property(evidence, (given) => {
      const page = htmlPage(given as Evidence);
      const lines = readPage(page);
      for (const part of ['What happened', 'What the judge found', 'Stages', 'The drain', 'Timeline']) {
        expect(lines).toContain(`## ${part}`);
      }
      expect(page).not.toMatch(NO_NUMBER);
      expect(page).not.toMatch(ACTIVE);
      expect(page).not.toMatch(
        /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\ud800-\udfff](?<![\ud800-\udbff][\udc00-\udfff])(?![\udc00-\udfff])/,
      );
    }),
    { numRuns: 150 },
  );
});

test('numbers whose sum is none are not drawn', () => {
  const [at, drain] = ['2026-01-31T23:00:00.000Z', { source: { http: Number.MAX_VALUE, websocket: 1e300 } }];
  const page = htmlPage({ drain, timeline: [{ state: 'Drain', at }] } as unknown as Evidence);
  expect(page).not.toMatch(NO_NUMBER);
  expect(readPage(page)).toContain('## The drain');
});

test('a part of the evidence that is of another version, or damaged, is said and the others stand', () => {
  const given = { traffic: {}, rehearsal: { weights: 7 }, startedAt: '2026-01-31T23:00:00.000Z', outcome: 'completed' };
  const lines = readPage(htmlPage(given as unknown as Evidence));
  expect(lines.filter((line) => line.startsWith('The evidence of this part cannot be shown'))).not.toEqual([]);
  expect(lines).toContain('## Stages');
  expect(lines).toContain('(completed) (not measured: what clients saw)');
});
