import { createHmac, randomUUID } from 'node:crypto';
import { HOST } from '../../processes/ports';

/** What the soak reads of the proxy's report. */
export interface Report {
  /** Live connections by kind, as the proxy's ledger has them. */
  readonly active: Readonly<Record<string, number>>;
  readonly hold: { readonly waiting: number };
}

/** The admin API of one proxy, signed as docs/proxy.md says. */
export class Admin {
  readonly #port: number;
  readonly #secret: string;

  constructor(port: number, secret: string) {
    this.#port = port;
    this.#secret = secret;
  }

  report(): Promise<Report> {
    return this.#call('GET', '/drain-status', '', 200);
  }

  hold(order: { readonly epoch: number; readonly leaseMs: number; readonly maxWaiting: number }): Promise<Report> {
    return this.#call('POST', '/hold', JSON.stringify(order), 202);
  }

  release(order: { readonly epoch: number; readonly to: 'source' | 'target' }): Promise<Report> {
    return this.#call('POST', '/release', JSON.stringify(order), 202);
  }

  async #call(method: string, path: string, body: string, expected: number): Promise<Report> {
    const identity = method === 'GET' ? '' : (await this.#ask<{ identity: string }>('GET', '/identity')).identity;
    return this.#ask(method, path, identity, body, expected);
  }

  async #ask<T>(method: string, path: string, identity = '', body = '', expected = 200): Promise<T> {
    const [time, nonce, address] = [String(Date.now()), randomUUID(), `${HOST}:${this.#port}`];
    const signed = ['drainshift-request', method, path, time, nonce, address, identity, body].join('\n');
    const signature = createHmac('sha256', this.#secret).update(signed).digest('hex');
    const response = await fetch(`http://${HOST}:${this.#port}${path}`, {
      method,
      ...(body !== '' && { body }),
      headers: {
        'x-drainshift-time': time,
        'x-drainshift-nonce': nonce,
        'x-drainshift-address': address,
        ...(identity !== '' && { 'x-drainshift-identity': identity }),
        'x-drainshift-signature': signature,
      },
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (response.status !== expected)
      throw new Error(`'${method} ${path}' must respond with ${expected}, got ${response.status}: ${text.trim()}`);
    return JSON.parse(text) as T;
  }
}

export function computeSum(active: Report['active']): number {
  return Object.values(active).reduce((sum, count) => sum + count, 0);
}
