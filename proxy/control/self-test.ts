import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { HEALTH_PATH } from '../../core/proxy/admin-api';
import type { Clock } from '../process/clock';

/** Between two looks. */
const LOOK_MS = 50;
const ONE_MS = 2_000;
/** A session store that is there responds within this. */
const STORE_MS = 2_500;

export interface SelfTest {
  readonly port: number;
  readonly isTls: boolean;
  /** Whether a PROXY header has to stand before everything. */
  readonly hasHeader: boolean;
}

/**
 * Resolves when the session store has responded to the proxy, and the proxy to its own health check, over a connection of the
 * loopback interface.
 *
 * @param untilMs of the clock
 * @throws Error that says what was wrong last, when that is not so in time
 */
export async function proveHealth(
  test: SelfTest,
  hasStore: () => boolean,
  untilMs: number,
  clock: Clock,
): Promise<void> {
  const storeUntilMs = Math.min(untilMs, clock.nowMs() + STORE_MS);
  const store = () => Promise.resolve(hasStore() ? undefined : 'the session store must respond, got no response');
  await insist(store, storeUntilMs, clock);
  await insist(() => findProblem(test), untilMs, clock);
}

/** Until it has no problem. */
async function insist(look: () => Promise<string | undefined>, untilMs: number, clock: Clock): Promise<void> {
  for (;;) {
    const problem = await look();
    if (problem === undefined) return;
    if (clock.nowMs() >= untilMs) throw new Error(problem);
    await new Promise<void>((resolve) => clock.after(LOOK_MS, resolve));
  }
}

async function findProblem(test: SelfTest): Promise<string | undefined> {
  const rule = 'its own health check must respond with 200';
  try {
    const status = await checkHealth(test);
    return status === 200 ? undefined : `${rule}, got ${status}`;
  } catch (error) {
    return `${rule}, got ${(error as Error).message}`;
  }
}

function checkHealth({ port, isTls, hasHeader }: SelfTest): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', reject);
    // Version 1 of the header, of a connection that says nothing of its client.
    if (hasHeader) socket.write('PROXY UNKNOWN\r\n');
    // It is the proxy itself, whatever its certificate says.
    const connection = () => (isTls ? tls.connect({ socket, rejectUnauthorized: false }) : socket);
    const headers = { host: 'localhost', connection: 'close' };
    const request = http.request({ path: HEALTH_PATH, headers, timeout: ONE_MS, createConnection: connection });
    request.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no response within ${ONE_MS / 1000} s`)));
    request.on('error', reject);
    request.on('close', () => socket.destroy());
    request.end();
  });
}
