import type { SentWrite } from '../../writes/write-log';
import { HttpResponse } from '../transport/transport';
import type { WritesRecord } from '../counting/writes-record';
import { HttpChecker, findSide, parseJson } from './http-checker';
import type { Act } from './http-users';

const JSON_BODY = { 'content-type': 'application/json' };

/** Writes one thing after the other and counts for itself: each has its own number, and wants a response that names it. */
export function writer(checker: HttpChecker, client: string, record: WritesRecord): Act {
  let last = 0;
  return async (dueMs) => {
    const n = (last += 1);
    const isRight = (response: HttpResponse) => {
      const body = parseJson(response);
      return body?.client === client && body.n === n && typeof body.number === 'number';
    };
    const response = await checker.ask(
      { method: 'POST', path: '/writes', headers: JSON_BODY, body: Buffer.from(JSON.stringify({ client, n })) },
      { status: 200, use: 'writes', what: `a number for write ${n} of '${client}'`, isRight },
      dueMs,
    );
    record.sent.push({ client, n, ...readNumber(response) });
  };
}

function readNumber(response: HttpResponse | undefined): Pick<SentWrite, 'response'> {
  const side = response && findSide(response);
  return side ? { response: { side, number: parseJson(response)?.number as number } } : {};
}
