import type { CaptureName } from './capture-name';
import { parseStoreUrl } from '../../core/capture/store-url';
import type { KeyRule } from '../../core/replay/key';
import { formatSeconds } from '../../core/replay/progress';
import { UsageError } from '../errors/usage-error';
import type { ProgressReporter } from '../progress/progress-reporter';
import type { RecordingOptions } from '../traffic/recording/recording-clients';
import { RecordingSurvey, surveyRecording } from '../traffic/recording/survey';

interface Asked {
  /** A capture file, or a folder of them. */
  readonly replay?: string;
  readonly key?: KeyRule;
  readonly ignore?: readonly string[];
  /** With which a plan may compare by itself. */
  readonly capture?: CaptureName;
  readonly compare?: string;
  readonly source?: string;
  readonly target?: string;
  readonly scenario?: string;
  readonly har?: string;
  readonly traffic: number;
}

/** A recording, and how it is sent. */
export interface Recording {
  readonly options: Omit<RecordingOptions, 'sourceUrl'>;
  readonly requestsPerSecond: number;
}

/** Beyond it the usual traffic is no rehearsal any more. */
const MAX_USUAL_TRAFFIC = 10;

/**
 * The recorded traffic that the clients send; undefined where none was asked for. All of it has been read once.
 *
 * @throws UsageError for what cannot be sent, the signal's reason
 */
export async function findRecording(
  asked: Asked,
  reporter: ProgressReporter,
  signal: AbortSignal,
): Promise<Recording | undefined> {
  const { replay: path, key = { kind: 'connection' }, ignore = [], traffic: speed } = asked;
  checkFlags(asked);
  if (path === undefined) return undefined;
  const survey = await readSurvey(path, signal);
  const { requests, leftOut, seconds } = survey;
  if (requests === 0) {
    throw new UsageError(`'--replay' must have at least one request that can be sent again, got 0 in '${path}'`);
  }
  const roundSeconds = Math.max(1, seconds / speed);
  const requestsPerSecond = requests / roundSeconds;
  reporter.step(
    `the recording: ${requests.toLocaleString('en-US')} requests of ${formatSeconds(seconds * 1_000)}, sent at ${requestsPerSecond.toPrecision(3)} a second` +
      ` and from the first one again after ${formatSeconds(roundSeconds * 1_000)}` +
      (leftOut > 0 ? `; ${leftOut} WebSockets, event streams and requests that are not whole are left out` : ''),
  );
  return { options: { path, speed, key, ignore, roundSeconds }, requestsPerSecond };
}

async function readSurvey(path: string, signal: AbortSignal): Promise<RecordingSurvey> {
  try {
    return await surveyRecording(path, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new UsageError(`'--replay' must be captured traffic: ${(error as Error).message}`);
  }
}

/** @throws UsageError */
function checkFlags({ replay, capture, key, ignore, compare, source, target, scenario, har, traffic }: Asked): void {
  if (replay === undefined) {
    const rest = capture === undefined ? { key, ignore, compare } : { key, compare };
    const alone = Object.entries(rest).find(([, value]) => value !== undefined)?.[0];
    if (alone !== undefined) throw new UsageError(`'--${alone}' must come with '--replay', got it alone`);
    if (traffic > MAX_USUAL_TRAFFIC) {
      throw new UsageError(
        `'--traffic' must be a number from 0.1 to ${MAX_USUAL_TRAFFIC} without '--replay', got ${traffic}`,
      );
    }
    return;
  }
  if (parseStoreUrl(replay)?.kind !== 'path') {
    throw new UsageError(
      `'--replay' must be a file or a folder, got '${replay}'; drainshift capture export --from STORE --to FILE.proto.gz makes one`,
    );
  }
  const [name, other] = Object.entries({ scenario, har }).find(([, value]) => value !== undefined) ?? [];
  if (name !== undefined) {
    throw new UsageError(`'--replay' and '--${name}' must not be given together, got '${replay}' and '${other}'`);
  }
  if (source === undefined || target === undefined) {
    const missing = source === undefined ? 'source' : 'target';
    throw new UsageError(
      `'--replay' must come with '--source' and '--target', the backends of the application that was recorded, got no '--${missing}'`,
    );
  }
}
