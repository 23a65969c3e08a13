import { setTimeout as pause } from 'node:timers/promises';
import type { ComparedResponse } from '../../../core/compare/response';
import { parseRequestLine, parseStatusLine } from '../../../core/capture/http-message';
import type { KeyRule } from '../../../core/replay/key';
import { OutgoingRequest, REPLAY_ID_HEADER, buildOutgoing } from '../../../core/replay/outgoing';
import { PositionTracker } from '../../../core/replay/position';
import type { Replayed, TargetResponse } from '../../../core/replay/tuple';
import { CompareSink, describeRecorded, describeTarget } from '../../../replay/compare-sink';
import { Replay, SendingPlan, Transform } from '../../../replay/replay';
import { Results } from '../../../replay/results';
import { Sender } from '../../../replay/send';
import { SIDE_HEADER } from '../../processes/loopback';
import { findSide } from '../clients/http-checker';
import type { Recorder } from '../counting/recorder';
import type { RecordingResult } from '../counting/recording-result';
import type { Transport } from '../transport/transport';
import { BalancerSender } from './balancer-sender';
import { canBeSent, openRecording } from './survey';

/** What is sent in place of generated traffic. */
export interface RecordingOptions {
  /** A capture file, or a folder of them. */
  readonly path: string;
  /** How many times as fast as it was recorded. */
  readonly speed: number;
  readonly key: KeyRule;
  /** Fields that are not compared. */
  readonly ignore: readonly string[];
  /** The source itself: some safe requests that the target served are repeated there. */
  readonly sourceUrl: string;
  /** How long a round takes at least: the recording at its speed. */
  readonly roundSeconds: number;
}

const MIB = 1_048_576;
const MAX_CONNECTIONS = 100;
const MAX_WAITING = 2_000;
const REPEAT_SHARE = 0.2;
const REPEAT_TIMEOUT_MS = 15_000;
/** The weights may have changed within it. */
const BOTH_SIDES_MS = 2_000;
const NOT_OF_THE_APPLICATION = /^awsalb/i;

/**
 * Clients that do what a recording has, in its order and at its pace, from its beginning again when it ends. Each response is compared with
 * the recorded one: of the source, it shows what is noise; of the target, what differs.
 */
export class RecordingClients {
  private readonly stopped = new AbortController();
  private readonly compare: CompareSink;
  private readonly repeater: Sender;
  private running: Promise<void> | undefined;
  private rounds = 0;
  private skipped = 0;
  private maxBehindMs = 0;
  private lastOfTargetMs = -Infinity;
  private readonly sender: BalancerSender;

  constructor(
    private readonly options: RecordingOptions,
    private readonly authority: string,
    connect: () => Transport,
    private readonly recorder: Recorder,
  ) {
    const target = new URL(options.sourceUrl);
    const limits = { maxConnections: 4, timeoutMs: REPEAT_TIMEOUT_MS, maxResponseBytes: 16 * MIB, insecure: true };
    this.repeater = new Sender({ target, ...limits });
    const build = ({ id, request: message }: Replayed) =>
      buildOutgoing({ id, connectionId: id, nodeId: '', n: 0, message }, this.rewrite, '');
    const repeat = { sender: this.repeater, share: REPEAT_SHARE, build };
    this.compare = new CompareSink({ ignore: options.ignore }, repeat, this.stopped.signal);
    this.sender = new BalancerSender(connect, recorder);
    recorder.http.clients = MAX_CONNECTIONS;
  }

  start(): void {
    this.running = this.run().catch((error: Error) => {
      this.recorder.http.sent += 1;
      this.recorder.http.failed += 1;
      this.recorder.note('recording', `expected a recording that can be sent, got ${error.message}`);
    });
  }

  /** Begins nothing more; what is under way may end. */
  pause(): void {
    this.stopped.abort();
  }

  async stop(): Promise<RecordingResult> {
    this.stopped.abort();
    await this.running;
    await this.compare.close();
    this.repeater.close();
    const { rounds, skipped, maxBehindMs } = this;
    return { rounds, skipped, maxBehindMs: Math.round(maxBehindMs), comparison: this.compare.comparison.report() };
  }

  private async run(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      this.rounds += 1;
      const round = pause(this.options.roundSeconds * 1_000, undefined, { signal }).catch(() => undefined);
      await this.runOnce();
      await round;
    }
  }

  private async runOnce(): Promise<void> {
    const { signal } = this.stopped;
    const results = new Results([{ take: (replayed) => this.take(replayed) }], 64 * MIB);
    const events = await openRecording(this.options.path, signal);
    const position = new PositionTracker({ fromMs: -Infinity, finished: [] }, 0);
    const park = () => Promise.resolve();
    const replay = new Replay(this.plan(), { events, sender: this.sender, results, position, park }, signal);
    const looks = setInterval(() => (this.maxBehindMs = Math.max(this.maxBehindMs, replay.behindMs)), 100);
    try {
      await replay.run();
    } finally {
      clearInterval(looks);
      await results.end();
      this.skipped += replay.counts.skipped;
    }
  }

  private plan(): SendingPlan {
    const { speed, key } = this.options;
    return {
      ...{ key, speed, rewrite: this.rewrite, path: '', transforms: [leaveOut, nameRound(this.rounds)] },
      ...{ rate: Infinity, fromMs: -Infinity, toMs: Infinity, methods: new Set() },
      ...{ maxInFlight: MAX_CONNECTIONS, maxWaiting: MAX_WAITING, maxWaitingBytes: 64 * MIB },
      // A client tries nothing again. An outage is for the cutover to find.
      retry: { maxAttempts: 1, maxOutageMs: Infinity },
    };
  }

  private get rewrite(): SendingPlan['rewrite'] {
    return { host: this.authority, paths: [], setHeaders: [], removeHeaders: [] };
  }

  private take(replayed: Replayed): void {
    const { targetResponses, request, response } = replayed;
    const last = targetResponses.at(-1);
    // What was never sent, and what got no response, is counted already.
    if (!last) return;
    const recorded = response && parseStatusLine(response.startLine)?.status;
    this.count(parseRequestLine(request.startLine), last.status, recorded);
    const side = findSide({ headers: Object.fromEntries(last.headers) });
    // What a replay would try again is a response, too.
    const { id, sent, errors } = replayed;
    const own: Replayed = { id, request, response, sent, errors, targetResponses: [ofApplication(last)] };
    if (side === 'target') {
      this.lastOfTargetMs = performance.now();
      this.compare.take(own);
    } else if (side === 'source') this.addRepeat(own);
  }

  /** The source's own response, while the target serves, too: both see the same changes since the recording. */
  private addRepeat({ request, response, targetResponses: [own] }: Replayed): void {
    if (performance.now() - this.lastOfTargetMs > BOTH_SIDES_MS || !own || !isWhole(response)) return;
    const { method = '', target: url = '' } = parseRequestLine(request.startLine) ?? {};
    const pair: [ComparedResponse, ComparedResponse] = [describeRecorded(response), describeTarget(own)];
    this.compare.comparison.add({ route: { method, url }, source: pair[0], target: pair[1], isRepeat: true });
  }

  /** Other statuses than the recorded one are differences. An error of a server where there was none is a loss. */
  private count(line: ReturnType<typeof parseRequestLine>, status: number, recorded: number | undefined): void {
    const { http, right, tried } = this.recorder;
    const { method = '', target = '' } = line ?? {};
    const use = ['GET', 'HEAD', 'OPTIONS'].includes(method) ? 'reads' : 'uploads';
    const isExpected = recorded !== undefined && recorded >= 400;
    if (!isExpected) tried[use] += 1;
    if (status >= 500 && (recorded === undefined || recorded < 500)) {
      http.failed += 1;
      const expected = recorded === undefined ? 'a response' : `${recorded}`;
      return this.recorder.note('recording', `${method} ${target}: expected ${expected} as recorded, got ${status}`);
    }
    http.ok += 1;
    if (isExpected || status >= 400) right.expectedErrors += 1;
    else right[use] += 1;
  }
}

function isWhole(response: Replayed['response']): response is NonNullable<Replayed['response']> {
  return response !== undefined && response.headBytes > 0 && parseStatusLine(response.startLine) !== undefined;
}

const leaveOut: Transform = (outgoing, recorded) => Promise.resolve(canBeSent(recorded) ? outgoing : undefined);

/** An application that does nothing twice must do it again in another round. */
function nameRound(round: number): Transform {
  const rename = (request: OutgoingRequest): OutgoingRequest => ({
    ...request,
    headers: request.headers.map(([name, value]) => [name, name === REPLAY_ID_HEADER ? `${value}~${round}` : value]),
  });
  return (request) => Promise.resolve(round === 1 ? request : rename(request));
}

/** Without what the load balancer adds, which a recording of the proxies does not have. */
function ofApplication(response: TargetResponse): TargetResponse {
  const headers = response.headers.filter(([name, value]) => {
    const key = name.toLowerCase();
    return key !== SIDE_HEADER && !(key === 'set-cookie' && NOT_OF_THE_APPLICATION.test(value));
  });
  return { ...response, headers };
}
