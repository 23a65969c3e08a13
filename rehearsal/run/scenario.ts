import type { Scenario } from '../../core/scenario/scenario';
import { readScenarioFile } from '../scenario-file/scenario-file';
import type { ProgressReporter } from '../progress/progress-reporter';
import { listProblems } from '../report/scenario-seen';
import type { EntryTally } from '../traffic/counting/entries';
import { timesScenario } from '../traffic/options';

interface Asked {
  /** JSON or YAML. */
  readonly scenario?: string;
  readonly traffic: number;
}

/**
 * What the clients are asked to do, with the traffic that was asked for; undefined for the usual traffic.
 *
 * @throws UsageError, CutoverError `ScenarioInvalid`
 */
export function findScenario({ scenario: file, traffic }: Asked): Scenario | undefined {
  return file === undefined ? undefined : timesScenario(readScenarioFile(file), traffic);
}

/** Its requests alone, at another rate. */
export function requestsAlone(scenario: Scenario, requestsPerSecond: number): Scenario {
  return { ...scenario, requestsPerSecond, webSockets: [], eventStreams: [], streams: [] };
}

/** What is wrong before anything has moved is wrong in the scenario, or in the source. */
export function tellEarlyProblems(entries: readonly EntryTally[] | undefined, reporter: ProgressReporter): void {
  for (const problem of listProblems(entries ?? [])) reporter.step(`wrong before anything has moved: ${problem}`);
}
