import { createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { executionsPort } from '../../../lambda/adapters/executions';
import { callEndpoint } from './world';

const MACHINE = 'arn:aws:states:eu-central-1:123456789012:stateMachine:cutover';
const run = { execution: 'night', plan: {} };

/** The newest first, as it is asked for: so many retries of a step, and what came before it. */
function history(retries: number): object[] {
  const retry = ['TaskFailed', 'TaskStarted', 'TaskScheduled'].map((type) => ({ type }));
  return [
    ...Array.from({ length: retries }, () => retry).flat(),
    { type: 'TaskStateEntered', stateEnteredEventDetails: { name: 'Rollback' } },
    { type: 'TaskStateExited', stateExitedEventDetails: { name: 'Bake', output: JSON.stringify(run) } },
  ].map((event, index) => ({ id: 10_000 - index, timestamp: 1_767_225_600, ...event }));
}

test.each([0, 6, 200])('the state and the run of an execution whose step was repeated %i times', async (retries) => {
  const events = history(retries);
  let pages = 0;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      response.setHeader('Content-Type', 'application/x-amz-json-1.0');
      const isHistory = String(request.headers['x-amz-target']).endsWith('GetExecutionHistory');
      if (!isHistory) return response.end(JSON.stringify({ status: 'RUNNING', startDate: 1_767_225_600 }));
      pages += 1;
      const { maxResults, nextToken = '0' } = JSON.parse(body) as { maxResults: number; nextToken?: string };
      const end = Number(nextToken) + maxResults;
      const more = end < events.length ? { nextToken: String(end) } : {};
      return response.end(JSON.stringify({ events: events.slice(Number(nextToken), end), ...more }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    callEndpoint(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(await executionsPort(MACHINE).look('night')).toMatchObject({ status: 'RUNNING', state: 'Rollback', run });
    expect(pages).toBe(Math.ceil((events.length - 20) / 500) + 1);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
