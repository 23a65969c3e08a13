import { randomUUID } from 'node:crypto';
import http from 'node:http';
import pino from 'pino';
import { ADMIN_HEADERS, LedgerReport, adminRequestToSign } from '../../../core/proxy/admin-api';
import { sign } from '../../../proxy/admin/signature';
import { completeLimits, completeTimeouts } from '../../../core/proxy/settings/setting-names';
import type { ProxyConfig } from '../../../proxy/config/config';
import { RunningProxy, startProxy } from '../../../proxy/control/proxy';
import { Got, get, later } from './world';

export const SECRET = 'a-secret-of-a-test';

const NO_PACE = { headBytesPerSecond: 0, uploadBytesPerSecond: 0, readBytesPerSecond: 0 };

export interface TestProxy extends RunningProxy {
  readonly lines: { level: number; msg: string }[];
}

/** A proxy in this process, on ports of its own, that drains without waiting for anybody to hear of it. */
/** What a test says of a proxy; the rest is as in the table of settings, without a pace that clients must keep. */
export type ProxyChanges = Omit<Partial<ProxyConfig>, 'timeouts' | 'limits'> & {
  readonly timeouts?: Partial<ProxyConfig['timeouts']>;
  readonly limits?: Partial<ProxyConfig['limits']>;
};

export async function startTestProxy(upstreamPort: number, changes: ProxyChanges = {}): Promise<TestProxy> {
  const lines: { level: number; msg: string }[] = [];
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as { level: number; msg: string }) });
  const config: ProxyConfig = {
    side: 'source',
    listen: { host: '127.0.0.1', port: 0 },
    admin: { at: { host: '127.0.0.1', port: 0 }, keys: [SECRET] },
    upstream: { protocol: 'http', host: '127.0.0.1', port: upstreamPort },
    workers: 1,
    tls: 'off',
    gracePeriodSeconds: 60,
    gracefulShutdownTimeoutSeconds: 10,
    propagationSeconds: 0,
    stopTimeoutSeconds: 120,
    closeRatePerSecond: 1000,
    accessLog: 'off',
    logLevel: 'info',
    ...changes,
    timeouts: completeTimeouts(changes.timeouts),
    limits: { ...completeLimits(NO_PACE), upgradeProtocols: [], ...changes.limits },
  };
  const proxy = await startProxy(config, log);
  later(() => proxy.close());
  return Object.assign(proxy, { lines });
}

export interface AdminCall {
  readonly method?: string;
  readonly path: string;
  readonly body?: string;
  readonly secret?: string;
  readonly timeMs?: number;
  readonly nonce?: string;
  readonly address?: string;
  /** @default - that of the process that is there; none for a GET */
  readonly identity?: string;
  readonly headers?: http.OutgoingHttpHeaders;
}

export async function callAdmin(port: number, call: AdminCall): Promise<Got> {
  const { method = 'GET', path, body = '' } = call;
  const identity = call.identity ?? (method === 'GET' ? '' : await findIdentity(port));
  return get({ port, method, path, headers: adminHeaders(port, { ...call, identity }) }, body);
}

/** The headers of a call, signed. */
export function adminHeaders(port: number, call: AdminCall): http.OutgoingHttpHeaders {
  const { method = 'GET', path, body = '', secret = SECRET, timeMs = Date.now(), nonce = randomUUID() } = call;
  const { address = `127.0.0.1:${port}`, identity = '' } = call;
  const signed = adminRequestToSign({ method, path, time: String(timeMs), nonce, address, identity, body });
  return {
    [ADMIN_HEADERS.time]: String(timeMs),
    [ADMIN_HEADERS.nonce]: nonce,
    [ADMIN_HEADERS.address]: address,
    ...(identity !== '' && { [ADMIN_HEADERS.identity]: identity }),
    [ADMIN_HEADERS.signature]: sign(secret, signed),
    ...call.headers,
  };
}

export async function findIdentity(port: number): Promise<string> {
  return (JSON.parse((await callAdmin(port, { path: '/identity' })).body) as { identity: string }).identity;
}

export async function findReport(port: number): Promise<LedgerReport> {
  return JSON.parse((await callAdmin(port, { path: '/drain-status' })).body) as LedgerReport;
}
