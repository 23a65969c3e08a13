import { stringify } from 'yaml';
import { OpenApiProblem, convertOpenApi } from '../../core/scenario/from-openapi';
import { parseScenario } from '../../core/scenario/scenario';
import { oneLine } from '../../core/text/one-line';
import { UsageError } from '../errors/usage-error';
import { readDocument } from '../plan-file/plan-file';
import { readHarFile } from './har-file';

/**
 * A scenario of an OpenAPI 3 document, as YAML with a comment on what to look at.
 *
 * @param schema as an editor finds it from the file
 * @throws UsageError, CutoverError `ScenarioInvalid` where the document has what a scenario cannot
 */
export async function scenarioFromOpenApi(file: string, includesWrites: boolean, schema: string): Promise<string> {
  const { value: document } = readDocument({ name: 'file', file }, 'a document of OpenAPI 3');
  // It is large, and of use here alone.
  const { sample } = await import('openapi-sampler');
  try {
    const make = (part: object) => sample(part, { quiet: true, skipReadOnly: true }, document as object);
    const { value, notes } = convertOpenApi(document, includesWrites, make);
    return formatScenario(value, notes, schema);
  } catch (error) {
    if (error instanceof OpenApiProblem) throw new UsageError(`'file' must be ${error.message}, in '${oneLine(file)}'`);
    throw error;
  }
}

/** The same of what a browser recorded. */
export function scenarioFromHar(file: string, host: string | undefined, schema: string): string {
  const { value, notes } = readHarFile({ name: 'file', file }, host);
  return formatScenario(value, notes, schema);
}

function formatScenario(value: unknown, notes: readonly string[], schema: string): string {
  parseScenario(value);
  const comments = notes.map((note) => `# - ${oneLine(note)}\n`).join('');
  return `# yaml-language-server: $schema=${schema}\n${comments === '' ? '' : `# Look at this:\n${comments}`}\n${stringify(value, { lineWidth: 0 })}`;
}
