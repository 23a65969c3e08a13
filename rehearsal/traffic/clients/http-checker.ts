import { Side } from '../../../core/traffic/weights';
import { SIDE_HEADER } from '../../processes/loopback';
import { CookieJar } from './cookie-jar';
import { Recorder } from '../counting/recorder';
import type { RightResponses } from '../counting/tally';
import { HttpResponse, HttpRequest, Transport } from '../transport/transport';

interface Expectation {
  readonly status: number;
  /** What the user uses with it. */
  readonly use: Exclude<keyof RightResponses, 'expectedErrors'>;
  /** In words, for the line on a failure: `all 7 items`. */
  readonly what?: string;
  /** Whether a response of that status is the right one. */
  readonly isRight?: (response: HttpResponse) => boolean;
}

/** Sends one user's requests and judges each response: there is no request that is not counted as `ok` or `failed`. */
export class HttpChecker {
  /** @param jar The cookies of a user who keeps them. */
  constructor(
    private readonly generator: string,
    private readonly transport: Transport,
    private readonly recorder: Recorder,
    private readonly jar?: CookieJar,
  ) {}

  /**
   * @param dueMs when the request was due, on the clock of `performance.now()`: its latency counts from there
   * @returns the response when it is right, undefined when it is wrong or did not come
   */
  async ask(request: HttpRequest, expected: Expectation, dueMs: number): Promise<HttpResponse | undefined> {
    if (expected.status < 400) this.recorder.tried[expected.use] += 1;
    const result = await this.exchange(request, dueMs);
    const problem = result instanceof Error ? result.message : this.judge(result, expected);
    if (problem === undefined && !(result instanceof Error)) {
      this.countRight(expected.status < 400 ? expected.use : 'expectedErrors');
      return result;
    }
    const wanted = [expected.status, expected.what].filter((part) => part !== undefined).join(' and ');
    this.countWrong(`${request.method} ${request.path}: expected ${wanted}, got ${problem}`);
    return undefined;
  }

  /** Sends a request with the cookies of the user; `countRight` or `countWrong` must follow. */
  async exchange(request: HttpRequest, dueMs: number): Promise<HttpResponse | Error> {
    const { http, latency } = this.recorder;
    http.sent += 1;
    const headers = { ...request.headers, ...this.jar?.header(request.path, Date.now()) };
    const result = await this.transport.send({ ...request, headers }).catch((error: Error) => error);
    const ms = performance.now() - dueMs;
    latency.add(ms);
    const side = result instanceof Error ? undefined : findSide(result);
    this.recorder.record?.responses.push({ dueAtMs: Date.now() - ms, ms, side });
    if (!(result instanceof Error)) this.jar?.take(result.headers['set-cookie'], request.path, Date.now(), side);
    return result;
  }

  countRight(use: keyof RightResponses): void {
    this.recorder.http.ok += 1;
    this.recorder.right[use] += 1;
  }

  countWrong(what: string): void {
    this.recorder.http.failed += 1;
    this.recorder.note(this.generator, what);
  }

  /** What was due and is not sent any more has waited all the same. */
  leaveOut(dueMs: number): Promise<void> {
    this.recorder.http.unsent += 1;
    this.recorder.latency.add(performance.now() - dueMs);
    return Promise.resolve();
  }

  private judge(response: HttpResponse, { status, isRight }: Expectation): string | undefined {
    const side = findSide(response);
    if (side !== undefined) this.recorder.responsesBySide[side] += 1;
    const from = side === undefined ? '' : ` from ${side}`;
    if (response.status !== status) return `${response.status}${from}`;
    return isRight === undefined || isRight(response) ? undefined : `${status} with another body${from}`;
  }
}

/**
 * As the rehearsal's own backends say, else as its load balancer does: by the group, which after a switch is not the side that
 * served. Undefined of a response that no side made.
 */
export function findSide({ headers }: { headers: HttpResponse['headers'] }): Side | undefined {
  const side = headers['x-backend'] ?? headers[SIDE_HEADER];
  return side === 'source' || side === 'target' ? side : undefined;
}

/** The body as JSON, or undefined when it is none. */
export function parseJson(response: HttpResponse): Record<string, unknown> | undefined {
  try {
    return JSON.parse(response.body.toString('utf8')) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
