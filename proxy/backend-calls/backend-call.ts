import type { BackendCallOrder, BackendCallReport } from '../../core/proxy/backend-call';
import { Upstreams, findBackend, ownFields, requestUpstream } from './own-request';

/** Makes one request of a hook. */
export async function callBackend(order: BackendCallOrder, upstreams: Upstreams): Promise<BackendCallReport> {
  const { to, method, path, body, timeoutMs } = order;
  const headers = {
    ...ownFields(order),
    'content-length': String(Buffer.byteLength(body ?? '')),
    ...(body !== undefined && { 'content-type': 'application/json' }),
  };
  try {
    const own = { method, path, headers, timeoutMs, ...(body !== undefined && { body }) };
    return await requestUpstream(findBackend(upstreams, to), own);
  } catch (error) {
    return { upstreamProblem: error instanceof Error ? error.message || error.name : String(error) };
  }
}
