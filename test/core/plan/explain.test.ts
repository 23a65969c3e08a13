import { describePlan, explainPlan, formatSeconds } from '../../../core/plan/explain';
import { parsePlan } from '../../../core/plan/plan';

const explain = (plan: unknown) => explainPlan(parsePlan(plan));

test('default: shares, durations, calls and events of a plan', () => {
  const { stages, approvals, seconds, apiCalls, history } = explain({});
  expect(stages.map(({ targetShare }) => targetShare)).toEqual([0.1, 0.5, 0.9, 1]);
  expect(approvals).toEqual([]);
  // Four bakes of 300 s; at the most twice, with four confirms of 120 s and a drain of 300 s and its handshake.
  expect(seconds).toEqual({ shortest: 1200, longest: 2400 + 480 + 305 });
  expect(apiCalls.map(({ perMinute, perMinuteInConfirm }) => [perMinute, perMinuteInConfirm])).toEqual([
    [20, 150],
    [24, 180],
    [8, 60],
  ]);
  // 160 checks in bakes, 240 in confirms, 500 in the drain.
  expect(history).toEqual({ most: 900 * 9, budget: 20_000, limit: 25_000 });
});

test('custom: approvals, weights that are no percentages, and what each changes', () => {
  const plan = {
    stages: [
      { weights: { source: 2, target: 1 }, bakeSeconds: 60 },
      { weights: { source: 0, target: 1 }, bakeSeconds: 60 },
    ],
    pollSeconds: 1,
    approval: { beforeFirstShift: true, beforeLastStage: true, timeoutSeconds: 600, requireIdentity: false },
    breaker: { minimumRequests: 0 },
    smoke: [],
  };
  const { approvals, seconds, history } = explain(plan);
  expect(approvals.map(({ gate, timeoutSeconds }) => [gate, timeoutSeconds])).toEqual([
    ['firstShift', 600],
    ['lastStage', 600],
  ]);
  expect(seconds.longest - explain({ ...plan, approval: {} }).seconds.longest).toBe(1200);
  expect(history.most).toBeLessThanOrEqual(history.budget);
  const text = describePlan(parsePlan(plan));
  expect(text).toContain('1. 2/1: 33.33 % of new clients to the target, watched for 1 min.');
  expect(text).toContain(
    'Before the last stage: waits up to 10 min, checked every 1 s. Without an approval the cutover rolls back.',
  );
  expect(text).toContain('A stage is promoted even if its target got no request');
  expect(text).toContain('No smoke requests.');
  expect(text).not.toContain('STS');
});

test('every kind of connection has its line in the drain', () => {
  const perKindSeconds = {
    http: 0,
    websocket: 61,
    grpcStream: 3600,
    serverSentEvents: 86_400,
    streaming: 90_061 - 86_400,
  };
  const text = describePlan(parsePlan({ drain: { perKindSeconds } }));
  for (const line of [
    'requests: 0 s',
    'WebSocket connections: 1 min 1 s',
    'streaming gRPC calls: 1 h',
    'streams of server-sent events: 1 d',
    'other streaming responses: 1 h 1 min 1 s',
  ]) {
    expect(text).toContain(`  ${line} to end by themselves.\n`);
  }
  expect(formatSeconds(90_061)).toBe('1 d 1 h 1 min 1 s');
});
