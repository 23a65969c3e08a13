import { brotliDecompressSync, unzipSync } from 'node:zlib';
import { Mismatch, differInHeader, findMismatch } from '../../../core/scenario/content';
import { describeSaved, findSaved } from '../../../core/scenario/saved';
import type { Step } from '../../../core/scenario/scenario';
import { fillText } from '../../../core/scenario/variables';
import { HttpChecker, findSide } from '../clients/http-checker';
import type { Recorder } from '../counting/recorder';
import type { RightResponses } from '../counting/tally';
import type { HttpResponse, Transport } from '../transport/transport';
import type { SeenSession } from '../counting/entries';
import { buildRequest, findMissing } from './build-request';
import { CarriedSession } from './carried-session';
import type { Visit } from './visit';

/** Sends the requests of one client of a scenario, and judges each response by what its step expects. */
export class StepChecker {
  private readonly checker: HttpChecker;

  constructor(
    transport: Transport,
    private readonly recorder: Recorder,
    private readonly visit: Visit,
  ) {
    this.checker = new HttpChecker('scenario', transport, recorder, visit.jar);
  }

  /**
   * @param dueMs when it was due (`performance.now()`)
   * @returns whether the response is the right one
   */
  async run(step: Step, dueMs: number): Promise<boolean> {
    const missing = findMissing([step.path, step.headers, step.body, step.json, step.form], this.visit.variables);
    if (missing !== undefined) {
      this.recorder.http.sent += 1;
      return this.wrong(step, undefined, { expected: `a value of '${missing}' before it is sent`, got: 'none' });
    }
    const { body, ...request } = buildRequest(step, this.visit.variables);
    const bytes = body === undefined ? {} : { body: Buffer.from(body) };
    const session = new CarriedSession(this.visit, request.path, step.headers);
    this.countTried(step, session);
    const sentMs = performance.now();
    const response = await this.checker.exchange({ method: step.method, ...request, ...bytes }, dueMs);
    const tookMs = performance.now() - sentMs;
    if (response instanceof Error) {
      return this.wrong(step, undefined, { expected: `${step.expect.status}`, got: response.message });
    }
    const side = findSide(response);
    if (side !== undefined) this.recorder.responsesBySide[side] += 1;
    const seen = session.see();
    const mismatch = this.judge(step, response);
    if (mismatch) return this.wrong(step, response, mismatch, seen);
    this.checker.countRight(findUse(step));
    if (session.isThere) this.recorder.right.sessions += 1;
    this.recorder.entries?.right(step.name, side ?? 'noSide', seen);
    this.recorder.entries?.took(step.name, side ?? 'noSide', tookMs);
    return true;
  }

  /** What was due and is not sent any more. */
  leaveOut(dueMs: number): Promise<void> {
    return this.checker.leaveOut(dueMs);
  }

  private countTried(step: Step, session: CarriedSession): void {
    const { tried } = this.recorder;
    const use = findUse(step);
    if (use !== 'expectedErrors') tried[use] += 1;
    if (session.isThere) tried.sessions += 1;
  }

  private judge({ expect, save }: Step, response: HttpResponse): Mismatch | undefined {
    const { status, headers } = response;
    if (status !== expect.status) return { expected: `${expect.status}`, got: `${status}` };
    for (const [name, value] of Object.entries(expect.headers)) {
      const field = headers[name.toLowerCase()];
      const got = field === undefined ? undefined : [field].flat().join(', ');
      const values = this.visit.variables;
      if (got !== fillText(value, values)) return differInHeader(name, value, got, values);
    }
    const body = decodeBody(response);
    return findMismatch(expect, body, this.visit.variables) ?? this.saveAll(save, body, response);
  }

  private saveAll(save: Step['save'], body: string, response: HttpResponse): Mismatch | undefined {
    const { headers } = response;
    const from = {
      body,
      header: (name: string) => [headers[name] ?? []].flat()[0],
      cookie: (name: string) => this.visit.jar.get(name),
    };
    for (const [variable, saved] of Object.entries(save)) {
      const value = findSaved(saved, from);
      if (value === undefined) return { expected: `a value of '${variable}' ${describeSaved(saved)}`, got: 'none' };
      this.visit.save(variable, value, findSide(response));
    }
    return undefined;
  }

  private wrong({ name }: Step, response: HttpResponse | undefined, mismatch: Mismatch, session?: SeenSession): false {
    const side = response && findSide(response);
    const from = side === undefined ? '' : ` from ${side}`;
    this.checker.countWrong(`${name}: expected ${mismatch.expected}, got ${mismatch.got}${from}`);
    this.recorder.entries?.wrong(name, side ?? 'noSide', mismatch, session);
    return false;
  }
}

function findUse({ method, expect }: Step): keyof RightResponses {
  if (expect.status >= 400) return 'expectedErrors';
  return ['GET', 'HEAD', 'OPTIONS'].includes(method) ? 'reads' : 'uploads';
}

/** An application may compress what it was not asked to compress; a step may have asked. */
function decodeBody({ headers, body }: HttpResponse): string {
  try {
    const coding = [headers['content-encoding'] ?? ''].flat().join().trim().toLowerCase();
    if (coding === 'br') return brotliDecompressSync(body).toString();
    if (coding === 'gzip' || coding === 'deflate') return unzipSync(body).toString();
  } catch {
    // What cannot be read is compared as it is.
  }
  return body.toString();
}
