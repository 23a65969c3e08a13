import { EventCounts, EventStream } from '../../capture/read/event-stream';
import type { CaptureReader } from '../../capture/contract/reader';
import type { CompareReport, CompareVerdict } from '../../core/compare/compare-report';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { Rewrite, buildOutgoing } from '../../core/replay/outgoing';
import { PositionTracker, ReplayPosition, findMargin } from '../../core/replay/position';
import { ReplayProgress, formatProgress } from '../../core/replay/progress';
import { CheckpointKeeper, openCheckpoint } from '../../replay/checkpoint-keeper';
import { CompareSink } from '../../replay/compare-sink';
import { OutcomeSink } from '../../replay/outcome-sink';
import type { ParkedPlace } from '../../replay/place/parked-place';
import { Replay, SendingPlan, Transform } from '../../replay/replay';
import { Results } from '../../replay/results';
import { Sender } from '../../replay/send';
import { openTuplesFile } from '../../replay/tuples-file';
import { Mark } from '../../replay/status/mark';
import type { StatusLoop } from '../../replay/status/status-loop';
import { loadTransform } from '../../replay/user-transform';
import { VERDICT_EXITS, writeComparison } from '../shared/comparison-output';
import { asJson, report, warn } from '../shared/operator-command';
import { checkOutput } from '../shared/output-file';
import { loadAws } from './load-aws';
import { startMetrics } from './minute-metrics';
import { formatPlace, openParked, openText } from './open-place';
import { openStore } from './open-store';
import type { ReplayFlags } from './flags';
import { startStatus } from './status-loop';

const MIB = 1_048_576;
const PROGRESS_MS = 2_000;
const MAX_WAITING = 2_000;
const PARKED_FILE = 'drainshift-parked.jsonl';

/** @returns the exit code @throws Error of what cannot even start */
export async function runReplay(flags: ReplayFlags, from: string, stop: AbortSignal): Promise<number> {
  const loss = new AbortController();
  const lose = (error: Error) => loss.abort(error);
  const signal = AbortSignal.any([stop, loss.signal]);
  checkOutput('--compare', flags.compare);
  checkOutput('--tuples', flags.tuples);
  const parkedPlace = flags.parked ?? { path: PARKED_FILE };
  if ('path' in parkedPlace) checkOutput('--parked', parkedPlace.path);
  const reader = await openStore(flags.from);
  const parked = await openParked(parkedPlace);
  const transforms = await openTransforms(flags);
  const outputs = openOutputs(flags, parked, signal);
  const keeper = await openKeeper(flags, from, signal, lose);
  const start = keeper?.start ?? firstPosition(flags);
  const position = new PositionTracker(start, findMargin(flags.window));
  const mark = new Mark();
  const events = openEvents(flags, reader, start, mark, signal);
  const sender = openSender(flags, flags.to);
  const parts = { events, sender, results: outputs.results, position, park: parked.park, mark };
  const isHeld = keeper && (() => keeper.isHeld);
  const replay = new Replay(makePlan(flags, transforms, start.fromMs), { ...parts, ...(isHeld && { isHeld }) }, signal);
  const startedMs = performance.now();
  const findLagMs = () => (flags.follow ? measureLag(events, position, startedMs) : replay.behindMs);
  const observe = (): ReplayProgress => ({
    ...replay.counts,
    elapsedMs: performance.now() - startedMs,
    lagMs: findLagMs(),
    waiting: replay.waiting,
    progress: flags.follow ? undefined : reader.progress,
    reachedMs: replay.reachedMs,
    outageMs: replay.outageSinceMs === undefined ? undefined : performance.now() - replay.outageSinceMs,
    lastProblem: replay.lastProblem,
  });
  const { compare, outcomes } = outputs;
  const sources = { replay, events, mark, compare, outcomes, findLagMs, lose };
  let failure: Error | undefined;
  let status: StatusLoop | undefined;
  try {
    status = await startStatus(flags, sources);
    failure = await runWithTimers(replay, observe, { keeper, position, metrics: flags.metrics });
    failure = (loss.signal.reason as Error | undefined) ?? failure;
  } finally {
    // Nothing is under way any more. The end of what was asked for is a place to go on from, too.
    await keeper?.release(position.position).catch((error: unknown) => (failure ??= error as Error));
  }
  sender.close();
  for (const close of outputs.closers) await close().catch((error: unknown) => (failure ??= error as Error));
  if (failure) warn(failure.message);
  await status?.end(failure?.message ?? 'it was stopped');
  return summarize(flags, {
    progress: observe(),
    counts: events.counts,
    outputs,
    position,
    failure,
    isStopped: stop.aborted,
  });
}

const firstPosition = ({ fromTime = -Infinity }: ReplayFlags): ReplayPosition => ({ fromMs: fromTime, finished: [] });

/** @throws Error where another replay holds it, or what stands there is none */
async function openKeeper(
  flags: ReplayFlags,
  from: string,
  signal: AbortSignal,
  lose: (error: Error) => void,
): Promise<CheckpointKeeper | undefined> {
  if (!flags.checkpoint) return undefined;
  const place = await openText(flags.checkpoint);
  const only = describeOnly(flags);
  const ends = { from, to: flags.to.href, ...(only !== '' && { only }) };
  return openCheckpoint({ place, ends, first: firstPosition(flags), signal, warn, lose });
}

/** By which flags requests are finished that were never sent. */
function describeOnly({ servedBy, methods, fromTime }: ReplayFlags): string {
  return [
    ...(servedBy === undefined ? [] : [`--served-by ${servedBy}`]),
    ...(methods === undefined ? [] : [`--methods ${[...methods].sort().join(',')}`]),
    ...(fromTime === undefined ? [] : [`--from-time ${new Date(fromTime).toISOString()}`]),
  ].join(' ');
}

async function openTransforms(flags: ReplayFlags): Promise<readonly Transform[]> {
  const transforms: Transform[] = await Promise.all((flags.transform ?? []).map(loadTransform));
  if (flags.sigv4) transforms.push(await (await loadAws()).openSigner(flags.sigv4.service, flags.sigv4.region));
  return transforms;
}

function openEvents(
  flags: ReplayFlags,
  reader: CaptureReader,
  { fromMs }: ReplayPosition,
  mark: Mark,
  signal: AbortSignal,
): EventStream {
  return new EventStream(reader, {
    signal,
    follow: flags.follow,
    fromMs,
    warn,
    ...(flags.skipDamaged && { skip: (problem: string) => warn(`skipped: ${problem}`) }),
    windowMs: flags.window,
    maxBytes: 256 * MIB,
    mark,
    ...(flags.servedBy !== undefined && { servedBy: flags.servedBy }),
  });
}

function openSender({ connections, timeout: timeoutMs, insecure }: ReplayFlags, target: URL): Sender {
  return new Sender({ target, maxConnections: connections, timeoutMs, maxResponseBytes: 16 * MIB, insecure });
}

function makePlan(flags: ReplayFlags, transforms: readonly Transform[], fromMs: number): SendingPlan {
  return {
    key: flags.key ?? { kind: 'connection' },
    rewrite: makeRewrite(flags, flags.to),
    path: flags.to.pathname.replace(/\/$/, ''),
    transforms,
    speed: flags.speed,
    rate: flags.rate ?? Infinity,
    fromMs,
    toMs: flags.toTime ?? Infinity,
    methods: flags.methods ?? new Set(),
    maxInFlight: flags.connections,
    maxWaiting: Math.max(MAX_WAITING, 2 * flags.connections),
    maxWaitingBytes: 256 * MIB,
    retry: { maxAttempts: flags.attempts, maxOutageMs: flags.maxOutage },
  };
}

function makeRewrite(flags: ReplayFlags, to: URL): Rewrite {
  const { host, path = [], setHeader = [], setHeaderFrom = [], removeHeader = [] } = flags;
  const named = host === 'recorded' ? {} : { host: host ?? to.host };
  return { ...named, paths: path, setHeaders: [...setHeader, ...setHeaderFrom], removeHeaders: removeHeader };
}

interface Outputs {
  readonly results: Results;
  readonly compare: CompareSink | undefined;
  readonly outcomes: OutcomeSink;
  readonly parked: string;
  readonly closers: readonly (() => Promise<void>)[];
}

function openOutputs(flags: ReplayFlags, parked: ParkedPlace, signal: AbortSignal): Outputs {
  const tuples = flags.tuples === undefined ? undefined : openTuplesFile(flags.tuples);
  const repeater = flags.repeatOn && openSender(flags, flags.repeatOn);
  const compare = flags.compare === undefined ? undefined : openCompare(flags, repeater, signal);
  const outcomes = new OutcomeSink();
  const sinks = [tuples, compare, flags.status === undefined ? undefined : outcomes].filter(
    (each) => each !== undefined,
  );
  return {
    results: new Results(sinks, 128 * MIB),
    compare,
    outcomes,
    parked: parked.name,
    closers: [
      async () => tuples?.close(),
      async () => compare?.close(),
      () => Promise.resolve(repeater?.close()),
      () => parked.close(),
    ],
  };
}

function openCompare(flags: ReplayFlags, repeater: Sender | undefined, signal: AbortSignal): CompareSink {
  const { repeatOn, repeatShare: share } = flags;
  const repeat = repeatOn &&
    repeater && {
      sender: repeater,
      share,
      build: ({ id, request: message }: Parameters<CompareSink['take']>[0]) => {
        const request = { id, connectionId: id, nodeId: '', n: 0, message };
        return buildOutgoing(
          request,
          makeRewrite({ ...flags, path: [] }, repeatOn),
          repeatOn.pathname.replace(/\/$/, ''),
        );
      },
    };
  return new CompareSink({ ignore: flags.ignore ?? [] }, repeat, signal);
}

/** An idle store is known to be read so far behind the present. */
const IDLE_MS = 15_000;

/** The age of the oldest request that is not finished. A store that cannot be read any more makes it grow, too. */
function measureLag(events: EventStream, position: PositionTracker, startedMs: number): number {
  const nowMs = Date.now();
  const oldestMs = Math.min(position.oldestMs ?? Infinity, events.firstMs ?? Infinity);
  if (oldestMs < Infinity) return Math.max(0, nowMs - oldestMs);
  if (events.watermarkMs === -Infinity) return performance.now() - startedMs;
  const behindMs = nowMs - events.watermarkMs;
  return behindMs > IDLE_MS ? behindMs : 0;
}

/** What is done beside the replay. */
interface Timed {
  readonly keeper: CheckpointKeeper | undefined;
  readonly position: PositionTracker;
  readonly metrics: string | undefined;
}

async function runWithTimers(
  replay: Replay,
  observe: () => ReplayProgress,
  { keeper, position, metrics: service }: Timed,
): Promise<Error | undefined> {
  const metrics = service === undefined ? undefined : startMetrics(service, observe);
  const progressTimer = setInterval(() => report(formatProgress(observe())), PROGRESS_MS);
  let saving: Promise<void> | undefined;
  let failure: Error | undefined;
  const save = (keeping: CheckpointKeeper) => {
    saving ??= keeping.save(position.position).then(() => (saving = undefined));
  };
  const checkpointTimer = keeper && setInterval(save, keeper.saveMs, keeper);
  try {
    await replay.run();
  } catch (error) {
    failure ??= error as Error;
  } finally {
    clearInterval(progressTimer);
    clearInterval(checkpointTimer);
    metrics?.end();
    await saving;
  }
  return failure;
}

interface Ended {
  readonly progress: ReplayProgress;
  readonly counts: EventCounts;
  readonly outputs: Outputs;
  readonly position: PositionTracker;
  readonly failure: Error | undefined;
  readonly isStopped: boolean;
}

function summarize(flags: ReplayFlags, ended: Ended): number {
  const { progress, isStopped } = ended;
  const comparison = ended.outputs.compare?.comparison.report();
  const unwritten = tryToWrite(flags.compare, comparison);
  const failure = ended.failure ?? unwritten;
  const summary = describeEnd({ ...ended, failure }, comparison);
  process.stdout.write(flags.json ? asJson(summary) : formatSummary(summary, flags));
  if (failure || progress.parked > 0) return EXIT_CODES.failed.code;
  if (isStopped && !flags.follow) return EXIT_CODES.unknown.code;
  return comparison ? VERDICT_EXITS[comparison.verdict] : EXIT_CODES.done.code;
}

/** @returns why it was not written: what the replay has done is said all the same */
function tryToWrite(path: string | undefined, comparison: CompareReport | undefined): Error | undefined {
  if (!comparison || path === undefined) return undefined;
  try {
    writeComparison(path, comparison);
    return undefined;
  } catch (error) {
    warn((error as Error).message);
    return error as Error;
  }
}

function describeEnd(ended: Ended, comparison: CompareReport | undefined): Summary {
  const { progress, counts, outputs, position, failure, isStopped } = ended;
  const { sent, failed, parked, skipped, finishedBefore, reordered, elapsedMs, lagMs } = progress;
  const { fromMs } = position.position;
  const isWhole = !isStopped && !failure;
  return {
    outcome: failure ? 'failed' : isStopped ? 'stopped' : 'done',
    ...{
      sent,
      failed,
      parked,
      skipped,
      finishedBefore,
      reordered,
      seconds: Math.round(elapsedMs) / 1_000,
      lagMs: Math.round(lagMs),
    },
    capture: counts,
    ...(parked > 0 && { parkedFile: outputs.parked }),
    ...(!isWhole && Number.isFinite(fromMs) && { goOnFrom: new Date(fromMs).toISOString() }),
    ...(comparison && { verdict: comparison.verdict, because: comparison.because }),
    ...(failure && { error: failure.message }),
  };
}

interface Summary {
  readonly outcome: string;
  readonly sent: number;
  readonly failed: number;
  readonly parked: number;
  readonly skipped: number;
  readonly finishedBefore: number;
  readonly reordered: number;
  readonly seconds: number;
  readonly lagMs: number;
  readonly error?: string;
  readonly capture: EventCounts;
  readonly parkedFile?: string;
  readonly goOnFrom?: string;
  readonly verdict?: CompareVerdict;
  readonly because?: readonly string[];
}

function formatSummary(summary: Summary, { checkpoint }: ReplayFlags): string {
  const {
    outcome,
    sent,
    failed,
    parked,
    skipped,
    reordered,
    seconds,
    capture,
    parkedFile,
    goOnFrom,
    verdict,
    because = [],
  } = summary;
  const odd = Object.entries(capture).filter(([name, count]) => name !== 'records' && count > 0);
  const lines = [
    `${outcome}: ${sent} sent, ${failed} failed attempts, ${parked} parked, ${skipped} skipped, in ${seconds.toFixed(1)} s`,
    ...(odd.length > 0
      ? [`of the capture: ${odd.map(([name, count]) => `${count} ${NAMES[name] ?? name}`).join(', ')}`]
      : []),
    ...(reordered > 0
      ? [`${reordered} requests came behind one of their key that was recorded later: use a larger --window`]
      : []),
    ...(parkedFile === undefined ? [] : [`parked requests are in ${parkedFile}`]),
    ...(goOnFrom === undefined
      ? []
      : [
          `to go on: ${checkpoint === undefined ? `--from-time ${goOnFrom}` : `--checkpoint ${formatPlace(checkpoint)}`}`,
        ]),
    ...(verdict === undefined ? [] : [`comparison: ${verdict}`, ...because.map((line) => `  ${line}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

const NAMES: Readonly<Record<string, string>> = {
  duplicates: 'duplicate parts',
  missing: 'missing parts',
  aborted: 'aborted requests',
  dropped: 'requests dropped on purpose',
  expired: 'connections without an end',
  strayBytes: 'bytes without a request',
  webSocketMessages: 'messages of WebSockets left out',
  late: 'late for their place',
  withdrawnLate: 'withdrawn too late',
  damaged: 'damaged and left out',
};
