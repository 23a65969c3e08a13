import { buildRecoveryCall } from '../../../core/cutover/recovery';

const change = { detail: { name: 'night', status: 'ABORTED' } };
const message = (body: unknown, received = '1') => ({
  body: JSON.stringify(body),
  attributes: { ApproximateReceiveCount: received },
});

test.each([
  ['a change of EventBridge', change, false],
  ['a change in the queue', { Records: [message(change)] }, false],
  ["Lambda's record of a failed call", { Records: [message({ requestPayload: change })] }, false],
  ['the attempt before the last one', { Records: [message(change, '119')] }, false],
  ['the last attempt', { Records: [message(change, '120')] }, true],
])('%s', (_, event, isLast) => {
  expect(buildRecoveryCall(event)).toEqual({ change, isLast });
});

test.each([0, 2])('a call with %i messages is rejected', (count) => {
  const event = { Records: Array.from({ length: count }, () => message(change)) };
  expect(() => buildRecoveryCall(event)).toThrow(`'Records' must be one message, got ${count}`);
});
