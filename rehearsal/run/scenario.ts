import { Scenario, listEntries, parseScenario } from '../../core/scenario/scenario';
import { UsageError } from '../errors/usage-error';
import { readHarFile } from '../scenario-file/har-file';
import { readScenarioFile } from '../scenario-file/scenario-file';
import type { ProgressReporter } from '../progress/progress-reporter';
import { listProblems } from '../report/scenario-seen';
import type { EntryTally } from '../traffic/counting/entries';
import { timesScenario } from '../traffic/options';

interface Asked {
  /** JSON or YAML. */
  readonly scenario?: string;
  /** In place of it: what a browser recorded. */
  readonly har?: string;
  /** Of which requests of the recording are taken. @default - that of its first page */
  readonly harHost?: string;
  readonly traffic: number;
}

/**
 * What the clients are asked to do, with the traffic that was asked for; undefined for the usual traffic.
 *
 * @throws UsageError, CutoverError `ScenarioInvalid`
 */
export function findScenario(asked: Asked, reporter: ProgressReporter): Scenario | undefined {
  const { scenario: file, har, harHost, traffic } = asked;
  if (har !== undefined && file !== undefined) {
    throw new UsageError(`'--scenario' and '--har' must not be given together, got '${file}' and '${har}'`);
  }
  if (har === undefined && harHost !== undefined) {
    throw new UsageError(`'--har-host' must come with '--har', got '${harHost}' alone`);
  }
  if (har !== undefined) return timesScenario(readRecording(har, harHost, reporter), traffic);
  return file === undefined ? undefined : timesScenario(readScenarioFile(file), traffic);
}

export function hasScenario({ scenario, har }: Pick<Asked, 'scenario' | 'har'>): boolean {
  return scenario !== undefined || har !== undefined;
}

function readRecording(file: string, host: string | undefined, reporter: ProgressReporter): Scenario {
  const { value, notes } = readHarFile({ name: '--har', file }, host);
  for (const note of notes) reporter.step(`the recording: ${note}`);
  return parseScenario(value);
}

/** Its requests alone, at another rate. */
export function requestsAlone(scenario: Scenario, requestsPerSecond: number): Scenario {
  return { ...scenario, requestsPerSecond, webSockets: [], eventStreams: [], streams: [] };
}

/** Longer than this nothing waits for them. */
const MAX_EARLY_SECONDS = 5;

/** So many requests show each entry once before anything moves, where they are sent soon: after the logins of all clients. */
export function countEarlyRequests(scenario: Scenario): number {
  const { clients, requestsPerSecond, start } = scenario;
  const all = clients * (start.length + 1) + listEntries(scenario).length;
  return Math.max(clients, Math.min(all, Math.floor(requestsPerSecond * MAX_EARLY_SECONDS)));
}

/** What is wrong before anything has moved is wrong in the scenario, or in the source. */
export function tellEarlyProblems(entries: readonly EntryTally[] | undefined, reporter: ProgressReporter): void {
  for (const problem of listProblems(entries ?? [])) reporter.step(`wrong before anything has moved: ${problem}`);
}
