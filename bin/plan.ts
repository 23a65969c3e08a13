import { writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Command } from 'commander';
import { CutoverError } from '../core/errors/errors';
import { describePlan, explainPlan } from '../core/plan/explain';
import { PLAN_FIELDS, Plan, parsePlan } from '../core/plan/plan';
import { oneLine } from '../core/text/one-line';
import { formatCommentedYaml } from '../core/validation/describe-fields';
import { UsageError } from '../rehearsal/errors/usage-error';
import { parsePlanText, readPlanFile } from '../rehearsal/plan-file/plan-file';
import { EXIT, asJson, warn } from './shared/operator-command';

/** Where the schema is in an app that has the package. */
const SCHEMA = 'node_modules/drainshift/schemas/plan.json';
const STANDARD_INPUT = '-';
const EXIT_HELP = `\nExit codes: ${EXIT.done} done, ${EXIT.refused} failed, ${EXIT.wrongUse} wrong use, or a plan that breaks rules.`;

interface JsonFlag {
  readonly json: boolean;
}

/** Adds `plan init`, `plan validate` and `plan explain`. */
export function addPlanCommand(cli: Command, done: (exitCode: number) => void): void {
  const plan = cli.command('plan').description('write, check and explain the plan of a cutover; nothing is called');
  plan
    .command('init')
    .description('write a plan with every field at its default, and a comment on each')
    .argument('[file]', 'the new file (YAML); standard output, when it is left out')
    .option('--force', 'overwrite the file', false)
    .addHelpText('after', EXIT_HELP)
    .action((file: string | undefined, { force }: { force: boolean }) => done(initPlan(file, force)));
  plan
    .command('validate')
    .description('list every rule that a plan breaks')
    .argument('<file>', 'a plan (JSON or YAML), - for standard input')
    .option('--json', 'print JSON', false)
    .addHelpText('after', EXIT_HELP)
    .action(async (file: string, flags: JsonFlag) => done(await validatePlan(file, flags)));
  plan
    .command('explain')
    .description('say in words what a plan does, how long it takes and what it calls')
    .argument('<file>', 'a plan (JSON or YAML), - for standard input')
    .option('--json', 'print JSON', false)
    .addHelpText('after', EXIT_HELP)
    .action(async (file: string, flags: JsonFlag) => done(await explain(file, flags)));
}

function initPlan(file: string | undefined, isForced: boolean): number {
  const isPrinted = file === undefined || file === STANDARD_INPUT;
  const text = formatPlanFile(isPrinted ? SCHEMA : relative(dirname(file), SCHEMA));
  if (isPrinted) {
    process.stdout.write(text);
    return EXIT.done;
  }
  try {
    writeFileSync(file, text, { flag: isForced ? 'w' : 'wx' });
    return EXIT.done;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isThere = code === 'EEXIST';
    warn(
      isThere
        ? `'file' must not exist, or --force must be given, got '${file}'`
        : `'file' must be writable, got '${file}' (${code})`,
    );
    return isThere ? EXIT.wrongUse : EXIT.refused;
  }
}

/** @param schema as the editor finds it from the file */
function formatPlanFile(schema: string): string {
  return `# yaml-language-server: $schema=${schema}
# The plan of a cutover. Every field has a default: what you do not change may be deleted.
# Check it:      npx drainshift plan validate FILE
# Understand it: npx drainshift plan explain FILE
${formatCommentedYaml(PLAN_FIELDS)}`;
}

/** A plan that follows every rule, or the rules that it breaks. */
type ReadPlan = { readonly plan: Plan } | { readonly problems: readonly string[] };

async function readPlan(file: string): Promise<ReadPlan> {
  const given = { name: 'file', file };
  try {
    const raw = file === STANDARD_INPUT ? parsePlanText(given, await buffer(process.stdin)) : readPlanFile(given);
    return { plan: parsePlan(raw) };
  } catch (error) {
    if (error instanceof UsageError) return { problems: [error.message] };
    if (error instanceof CutoverError) return { problems: error.message.split('\n') };
    throw error;
  }
}

async function validatePlan(file: string, { json }: JsonFlag): Promise<number> {
  const read = await readPlan(file);
  if ('problems' in read) return reportProblems(file, read.problems, json);
  process.stdout.write(
    json ? asJson({ file, valid: true, problems: [] }) : `${oneLine(file)}: valid, ${countStages(read.plan)}\n`,
  );
  return EXIT.done;
}

function countStages({ stages }: Plan): string {
  return stages.length === 1 ? '1 stage' : `${stages.length} stages`;
}

async function explain(file: string, { json }: JsonFlag): Promise<number> {
  const read = await readPlan(file);
  if ('problems' in read) return reportProblems(file, read.problems, json);
  process.stdout.write(json ? asJson({ plan: read.plan, ...explainPlan(read.plan) }) : describePlan(read.plan));
  return EXIT.done;
}

function reportProblems(file: string, problems: readonly string[], json: boolean): number {
  if (json) process.stdout.write(asJson({ file, valid: false, problems }));
  else for (const problem of problems) warn(problem);
  return EXIT.wrongUse;
}
