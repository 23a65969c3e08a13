import { writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { Command } from 'commander';
import { CutoverError } from '../core/errors/errors';
import { UsageError } from '../rehearsal/errors/usage-error';
import { scenarioFromHar, scenarioFromOpenApi } from '../rehearsal/scenario-file/write-scenario';
import { EXIT, warn } from './shared/operator-command';

/** Where the schema is in an app that has the package. */
const SCHEMA = 'node_modules/drainshift/schemas/scenario.json';
const EXIT_HELP = `\nExit codes: ${EXIT.done} done, ${EXIT.refused} the file cannot be written, ${EXIT.wrongUse} wrong use, or a document that makes no scenario.`;

interface OutFlags {
  readonly out?: string;
  readonly force: boolean;
}

/** Adds `scenario from-openapi` and `scenario from-har`. */
export function addScenarioCommand(cli: Command, done: (exitCode: number) => void): void {
  const scenario = cli.command('scenario').description('make the scenario of a rehearsal from what there is');
  withOut(scenario.command('from-openapi'))
    .description('write a scenario with the operations of an OpenAPI 3 document')
    .argument('<file>', 'the document (JSON or YAML)')
    .option('--include-writes', 'also POST, PUT, PATCH and DELETE', false)
    .action(async (file: string, { includeWrites, ...out }: OutFlags & { includeWrites: boolean }) =>
      done(await write(out, (schema) => scenarioFromOpenApi(file, includeWrites, schema))),
    );
  withOut(scenario.command('from-har'))
    .description('write a scenario with what a browser recorded, its cookies and passwords too')
    .argument('<file>', 'the recording (HAR)')
    .option('--host <name>', 'take the requests of this host, not those of the first page')
    .action(async (file: string, { host, ...out }: OutFlags & { host?: string }) =>
      done(await write(out, (schema) => scenarioFromHar(file, host, schema))),
    );
}

function withOut(command: Command): Command {
  return command
    .option('--out <file>', 'the new file (YAML); standard output, when it is left out')
    .option('--force', 'overwrite the file', false)
    .addHelpText('after', EXIT_HELP);
}

/** A file may hold what is a secret: it is its owner's alone. */
async function write({ out, force }: OutFlags, make: (schema: string) => string | Promise<string>): Promise<number> {
  let text: string;
  try {
    text = await make(out === undefined ? SCHEMA : relative(dirname(out), SCHEMA));
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof CutoverError)) throw error;
    for (const line of error.message.split('\n')) warn(line);
    return EXIT.wrongUse;
  }
  if (out === undefined) {
    process.stdout.write(text);
    return EXIT.done;
  }
  try {
    writeFileSync(out, text, { flag: force ? 'w' : 'wx', mode: 0o600 });
    return EXIT.done;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') warn(`'--out' must not exist, or --force must be given, got '${out}'`);
    else warn(`'--out' must be writable, got '${out}' (${code})`);
    return code === 'EEXIST' ? EXIT.wrongUse : EXIT.refused;
  }
}
