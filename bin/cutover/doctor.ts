import { Command } from 'commander';
import type { Diagnosis, Readiness } from '../../core/cutover/readiness';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { printable } from '../../core/text/one-line';
import {
  NotDeployed,
  OperatorFlags,
  WrongUse,
  asJson,
  findAdvice,
  operatorCommand,
  report,
  runOperator,
  warn,
} from '../shared/operator-command';
import { connectCutover } from './connect';
import { GivenPlan, checkPlan, readGivenPlan } from './given-plan';

interface DoctorFlags extends OperatorFlags {
  readonly plan?: string;
}

const EXITS: Readonly<Record<Readiness, number>> = {
  ready: EXIT_CODES.done.code,
  refused: EXIT_CODES.refused.code,
  // As the alarm counts them: no one has to do anything.
  underWay: EXIT_CODES.done.code,
  done: EXIT_CODES.done.code,
  unknown: EXIT_CODES.unknown.code,
};

/** Adds `doctor`. */
export function addDoctorCommand(cli: Command, done: (exitCode: number) => void): void {
  operatorCommand(
    cli.command('doctor'),
    'say whether a cutover would be rejected now: its preflight without the cutover, which changes nothing',
    [`${EXIT_CODES.refused.code} it would be rejected`, `${EXIT_CODES.unknown.code} that could not be found out`],
  )
    .option('--plan <file>', 'of a cutover by this plan (JSON or YAML), instead of the deployed one')
    .action(async (flags: DoctorFlags) => done(await runOperator(() => diagnose(flags))));
}

async function diagnose(flags: DoctorFlags): Promise<number> {
  const given = flags.plan === undefined ? undefined : readGivenPlan(flags.plan);
  const diagnosis = await findOut(flags, given);
  if (flags.json) process.stdout.write(asJson({ stack: flags.stack, ...diagnosis }));
  else process.stdout.write(`${printable(describe(diagnosis).join('\n'))}\n`);
  return EXITS[diagnosis.readiness];
}

/** Whatever is in the way of the diagnosis itself: then it is not known. */
async function findOut(flags: DoctorFlags, given: GivenPlan | undefined): Promise<Diagnosis> {
  try {
    const { aws, ports, config } = await connectCutover(flags);
    await checkPlan(ports, given?.plan);
    const found = await aws.diagnose(config, ports, given?.raw);
    if (found) return found;
    throw new Error(`'${flags.stack}' must have a function for it, got a stack of an older version: deploy it again`);
  } catch (error) {
    if (error instanceof WrongUse || error instanceof NotDeployed) throw error;
    const message = error instanceof Error ? error.message : String(error);
    if ((error as Error).name === 'PlanInvalid') {
      return { readiness: 'refused', findings: [{ code: 'PlanInvalid', message }], notChecked: [] };
    }
    if (/\bRegion is missing$/.test(message)) throw error;
    warn('whether a cutover would be rejected could not be found out');
    const advice = findAdvice(error);
    if (advice !== undefined) report(advice);
    return { readiness: 'unknown', findings: [{ code: 'AwsUnavailable', message }], notChecked: [] };
  }
}

const HEADLINES: Readonly<Record<Readiness, string>> = {
  ready: 'ready: a preflight would find nothing',
  refused: 'a cutover would be REJECTED:',
  unknown: 'unknown: nothing is known to speak against a cutover, but not everything could be read:',
  underWay: "a cutover is under way: 'drainshift status' says where it is",
  done: 'nothing to do: the weights are already those that the plan ends with',
};

function describe({ readiness, findings, warnings = [], notChecked }: Diagnosis): string[] {
  return [
    HEADLINES[readiness],
    ...findings.flatMap(({ code, message }) => message.split('\n').map((line) => `  ${code}: ${line}`)),
    ...(warnings.length > 0
      ? ['WARNING, at the traffic of now (it rejects nothing: the rate of the night may differ):']
      : []),
    ...warnings.map((what) => `  ${what}`),
    ...(notChecked.length > 0 ? ['not checked, because it would change something:'] : []),
    ...notChecked.map((what) => `  ${what}`),
  ];
}
