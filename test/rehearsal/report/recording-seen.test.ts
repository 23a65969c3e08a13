import { ResponseComparison } from '../../../core/compare/response-comparison';
import { listRecordingProblems, listUnproven, recordingFacts } from '../../../rehearsal/report/recording-seen';

const decode = () => undefined;

function compare(count: number, targetStatus: number) {
  const comparison = new ResponseComparison({}, decode);
  const respond = (status: number) => ({ status, fields: [], body: new Uint8Array() });
  for (let n = 0; n < count; n += 1) {
    const pair = { route: { method: 'GET', url: '/' }, source: respond(200) };
    comparison.add({ ...pair, target: respond(targetStatus), isRepeat: false });
    comparison.add({ ...pair, target: respond(200), isRepeat: true });
  }
  comparison.finish();
  return { rounds: 2, skipped: 3, maxBehindMs: 1_250, comparison: comparison.report() };
}

test('a target that responds otherwise is a problem, and says in what', () => {
  const seen = compare(500, 404);
  expect(listRecordingProblems(seen)).toEqual([
    expect.stringMatching(/^the target responds otherwise than the source: GET \/ status: /),
  ]);
  expect(listUnproven(seen)).toEqual([]);
  expect(recordingFacts(seen)).toEqual([
    ['recording', 'sent 2 times, 3 requests left out, at most 1.3 s behind its pace'],
    ['compared', expect.stringMatching(/^roll back: GET \/ status: /)],
    ['responses', expect.stringContaining('500 responses of the target compared')],
  ]);
});

test('too few responses are no problem, and no proof', () => {
  const seen = compare(5, 200);
  expect(listRecordingProblems(seen)).toEqual([]);
  expect(listUnproven(seen)).toEqual(['enough to say that both sides respond alike']);
});

test('enough of them are a proof', () => {
  const seen = compare(4_000, 200);
  expect([...listRecordingProblems(seen), ...listUnproven(seen)]).toEqual([]);
});
