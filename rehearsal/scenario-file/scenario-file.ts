import { Scenario, parseScenario } from '../../core/scenario/scenario';
import { readDocument } from '../plan-file/plan-file';

/**
 * The scenario in a file: JSON or YAML.
 *
 * @throws UsageError for a file that cannot be read, CutoverError `ScenarioInvalid` for a scenario that breaks a rule
 */
export function readScenarioFile(file: string): Scenario {
  const { value, findLine, findSource } = readDocument({ name: '--scenario', file }, 'a scenario');
  return parseScenario(value, { findLine: (name) => findLine(name.replace(/^scenario\./, '')), findSource });
}
