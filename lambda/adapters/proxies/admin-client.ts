import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { Agent, IncomingHttpHeaders, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import {
  ADMIN_HEADERS,
  ADMIN_PATHS,
  AdminRequest,
  adminAddress,
  adminRequestToSign,
  adminResponseToSign,
} from '../../../core/proxy/admin-api';
import { CutoverError } from '../../../core/errors/errors';
import { oneLine } from '../../../core/text/one-line';
import { withinStep } from '../../contract/time-left';

export interface AdminCall {
  readonly address: string;
  readonly port: number;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** Tried one after the other for as long as the task lets none of them in. */
  readonly keys: readonly string[];
  /** For all attempts together. */
  readonly timeoutMs: number;
  /** For many calls of one task. @default - one of its own */
  readonly connection?: AdminConnection;
}

/** The calls of one task, one after the other, and the identity of the process that was found. */
export class AdminConnection {
  readonly agent: Agent;
  identity: string | undefined;

  /** @param isKept whether one connection serves all calls; a function has 1,024 file descriptors for them */
  constructor(isKept = true) {
    this.agent = new Agent({ keepAlive: isKept, maxSockets: 1 });
  }

  close(): void {
    this.agent.destroy();
  }
}

const ATTEMPTS = 3;

/** The task lets in no call that one of the keys signed: it knows others. Nothing was done. */
export class KeysRejected extends CutoverError {}

/**
 * Calls the admin API of one proxy task and returns its JSON response, which is known to be that task's, to this call. A call
 * that changes something is meant for the process that is there now: its identity is asked for first.
 *
 * @throws CutoverError `AdminUnreachable` after three attempts, when its time limit is reached, or at once when the task rejects
 *   the call or its response is not signed with the key of the call; KeysRejected when it accepts none of the keys
 */
export async function callAdmin(call: AdminCall): Promise<unknown> {
  const name = formatName(call);
  const limitMs = Math.round(withinStep(call.timeoutMs));
  const signal = AbortSignal.timeout(limitMs);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await tryKeys(call, signal);
    } catch (error) {
      if (error instanceof CutoverError) throw error;
      const reason = oneLine(error instanceof Error ? error.message : String(error));
      if (signal.aborted) {
        const rule = `must respond within ${limitMs / 1000} s`;
        throw new CutoverError('AdminUnreachable', `${name} ${rule}, got no response`, { cause: error });
      }
      if (attempt === ATTEMPTS) {
        throw new CutoverError('AdminUnreachable', `${name} must respond, got ${reason}`, { cause: error });
      }
      await pause(100 + Math.random() * 200 * attempt);
    }
  }
}

/** Once with each. */
async function tryKeys(call: AdminCall, signal: AbortSignal): Promise<unknown> {
  let refused: KeysRejected | undefined;
  for (const key of call.keys) {
    try {
      return await attemptCall(call, key, signal);
    } catch (error) {
      if (!(error instanceof KeysRejected)) throw error;
      refused ??= error;
    }
  }
  throw refused ?? new KeysRejected('AdminUnreachable', `${formatName(call)} must be signed with a key, got none`);
}

/** On one connection. */
async function attemptCall(call: AdminCall, key: string, signal: AbortSignal): Promise<unknown> {
  const connection = call.connection ?? new AdminConnection();
  const by = { key, agent: connection.agent, signal };
  try {
    if (call.method === 'GET') return await ask(call, '', by);
    const look: AdminCall = { ...call, method: 'GET', path: ADMIN_PATHS.identity, body: undefined };
    connection.identity ??= ((await ask(look, '', by)) as { identity: string }).identity;
    return await ask(call, connection.identity, by);
  } catch (error) {
    // Another process may be there by now.
    connection.identity = undefined;
    throw error;
  } finally {
    if (!call.connection) connection.close();
  }
}

interface Means {
  readonly key: string;
  readonly agent: Agent;
  readonly signal: AbortSignal;
}

async function ask(call: AdminCall, identity: string, { key, agent, signal }: Means): Promise<unknown> {
  const body = call.body === undefined ? '' : JSON.stringify(call.body);
  const { method, path, address, port } = call;
  const asked: AdminRequest = {
    method,
    path,
    time: String(Date.now()),
    nonce: randomUUID(),
    address: adminAddress(address, port),
    identity,
    body,
  };
  const signature = sign(key, adminRequestToSign(asked));
  const response = await send(call, { asked, signature, agent, signal });
  const { status } = response;
  if (status >= 300) {
    const got = oneLine(`${status} ${response.body}`, 200);
    const Problem = status === 401 ? KeysRejected : CutoverError;
    throw new Problem('AdminUnreachable', `${formatName(call)} must respond with 2xx, got ${got}`);
  }
  const expected = sign(key, adminResponseToSign(signature, status, response.body));
  if (!isSame(String(response.headers[ADMIN_HEADERS.signature]), expected)) {
    const rule = 'must get a response that is signed with the secret';
    throw new CutoverError('AdminUnreachable', `${formatName(call)} ${rule}, got another one or none`);
  }
  return JSON.parse(response.body) as unknown;
}

interface Response {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Sending {
  readonly asked: AdminRequest;
  readonly signature: string;
  readonly agent: Agent;
  readonly signal: AbortSignal;
}

function send(
  { address: host, port, method, path }: AdminCall,
  { asked, signature, agent, signal }: Sending,
): Promise<Response> {
  const headers = {
    [ADMIN_HEADERS.time]: asked.time,
    [ADMIN_HEADERS.nonce]: asked.nonce,
    [ADMIN_HEADERS.address]: asked.address,
    ...(asked.identity !== '' && { [ADMIN_HEADERS.identity]: asked.identity }),
    [ADMIN_HEADERS.signature]: signature,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(asked.body),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, method, path, agent, signal, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(asked.body);
  });
}

function formatName({ method, address, port, path }: AdminCall): string {
  return `${method} http://${address}:${port}${path}`;
}

function sign(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
