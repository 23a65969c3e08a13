import type { OutgoingRequest } from '../../../core/replay/outgoing';
import type { Attempt } from '../../../replay/send';
import { findSide } from '../clients/http-checker';
import type { Recorder } from '../counting/recorder';
import type { HttpResponse, Transport } from '../transport/transport';

/** What the transport itself says of its connection. */
const OF_TRANSPORT = new Set(['host', 'content-length']);

/**
 * Sends recorded requests to the load balancer, as clients would: each on a connection that no other one uses at the time. Nothing is
 * tried again that a client would not try again.
 */
export class BalancerSender {
  private readonly idle: Transport[] = [];

  constructor(
    private readonly connect: () => Transport,
    private readonly recorder: Recorder,
  ) {}

  /** Never fails: how it ended is its result. */
  async send({ method, path, headers, body }: OutgoingRequest, signal: AbortSignal): Promise<Attempt> {
    const { http, latency, responsesBySide } = this.recorder;
    http.sent += 1;
    const transport = this.idle.pop() ?? this.connect();
    const sentMs = performance.now();
    const hasLength = headers.some(([name]) => /^content-length$/i.test(name));
    const result = await transport
      .send({ method, path, headers: joinFields(headers), ...(hasLength && { body: Buffer.from(body) }) })
      .catch((error: Error) => error);
    this.idle.push(transport);
    const elapsedMs = performance.now() - sentMs;
    latency.add(elapsedMs);
    const problem = signal.aborted ? 'none in time' : result instanceof Error ? result.message : undefined;
    if (problem !== undefined || result instanceof Error) {
      http.failed += 1;
      this.recorder.note('recording', `${method} ${path}: expected a response, got ${problem}`);
      // Its client had none: whether the request was received makes no difference.
      return { end: { kind: 'broken', problem: problem ?? '' } };
    }
    const side = findSide(result);
    if (side !== undefined) responsesBySide[side] += 1;
    const { status } = result;
    const response = { status, reason: '', headers: listFields(result), body: result.body, isCut: false, elapsedMs };
    return { end: { kind: 'response', status }, response };
  }
}

/** Lines of one name are one line (RFC 9110 section 5.2), cookies by their own rule (RFC 6265 section 5.4). */
function joinFields(fields: OutgoingRequest['headers']): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    if (OF_TRANSPORT.has(key)) continue;
    const before = joined[key];
    joined[key] = before === undefined ? value : `${before}${key === 'cookie' ? '; ' : ', '}${value}`;
  }
  return joined;
}

function listFields({ headers }: HttpResponse): (readonly [string, string])[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith(':') || value === undefined ? [] : [value].flat().map((each) => [name, each] as const),
  );
}
