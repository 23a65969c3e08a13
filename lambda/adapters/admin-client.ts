import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { ADMIN_SIGNATURE_HEADER, ADMIN_TIME_HEADER, adminStringToSign } from '../../core/admin';
import { CutoverError } from '../../core/errors';

export interface AdminCall {
  readonly address: string;
  readonly port: number;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly secret: string;
  /** For all attempts together. */
  readonly timeoutMs: number;
}

const ATTEMPTS = 3;

/**
 * Calls the admin API of one proxy task and returns its JSON answer.
 *
 * @throws CutoverError `AdminUnreachable` after three attempts, when its time is over, or at once when the task refuses
 *   the call
 */
export async function callAdmin(call: AdminCall): Promise<unknown> {
  const name = `${call.method} http://${call.address}:${call.port}${call.path}`;
  const signal = AbortSignal.timeout(call.timeoutMs);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { status, body } = await send(call, signal);
      if (status < 300) return JSON.parse(body) as unknown;
      throw new CutoverError('AdminUnreachable', `${name} must answer 2xx, got ${status} ${body.slice(0, 200)}`);
    } catch (error) {
      if (error instanceof CutoverError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      if (signal.aborted) {
        const rule = `must answer within ${call.timeoutMs / 1000} s`;
        throw new CutoverError('AdminUnreachable', `${name} ${rule}, got no response`);
      }
      if (attempt === ATTEMPTS) throw new CutoverError('AdminUnreachable', `${name} must answer, got ${reason}`);
      await pause(100 + Math.random() * 200 * attempt);
    }
  }
}

function send(call: AdminCall, signal: AbortSignal): Promise<{ status: number; body: string }> {
  const body = call.body === undefined ? '' : JSON.stringify(call.body);
  const timeMs = String(Date.now());
  const signature = createHmac('sha256', call.secret)
    .update(adminStringToSign(call.method, call.path, timeMs, body))
    .digest('hex');
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: call.address,
        port: call.port,
        method: call.method,
        path: call.path,
        agent: false,
        signal,
        headers: {
          [ADMIN_TIME_HEADER]: timeMs,
          [ADMIN_SIGNATURE_HEADER]: signature,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
