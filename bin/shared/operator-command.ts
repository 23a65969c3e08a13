import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command, InvalidArgumentError } from 'commander';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { LOCK_SECONDS } from '../../core/traffic/lock';
import { printable } from '../../core/text/one-line';
import type { CutoverConfig } from '../../core/cutover/cutover-config';
import type * as Operator from '../../lambda/operator';
import { Stop, listenForStop, runUntilStopped } from './stop';

export const EXIT = {
  done: EXIT_CODES.done.code,
  refused: EXIT_CODES.failed.code,
  wrongUse: EXIT_CODES.wrongUse.code,
} as const;

/** What every command that acts on a deployed cutover takes. */
export interface OperatorFlags {
  readonly stack: string;
  readonly cutover?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly endpointUrl?: string;
  readonly json: boolean;
}

/** What every command takes that changes something. */
export interface ChangingFlags extends OperatorFlags {
  readonly yes: boolean;
}

/** What a person asked for cannot be meant. */
export class WrongUse extends Error {}

/** The stack or the cutover that a person named is not there. */
export class NotDeployed extends Error {}

/** @param exits what its further exit codes mean */
export function operatorCommand(command: Command, description: string, exits: readonly string[] = []): Command {
  return command
    .description(description)
    .requiredOption('--stack <name>', 'the stack that the cutover is in')
    .option('--cutover <output>', 'the output with its cutover config, when the stack has several cutovers')
    .option('--region <region>', 'instead of the one of your environment or profile', regionFrom)
    .option('--profile <name>', 'a profile of your AWS configuration')
    .option('--endpoint-url <url>', 'an AWS endpoint of your own, such as that of a rehearsal that is kept up', urlFrom)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `\nExit codes: ${[`${EXIT.done} done`, `${EXIT.refused} rejected or failed`, ...exits, `${EXIT.wrongUse} wrong use`].join(', ')}.`,
    );
}

const REGION = /^[A-Za-z0-9][A-Za-z0-9-]{0,62}$/;
const REGION_RULE = 'a region, such as eu-central-1';
const URL_RULE = 'a URL of http or https';

function isEndpoint(text: string): boolean {
  return /^https?:/i.test(text) && URL.canParse(text);
}

function regionFrom(text: string): string {
  if (REGION.test(text)) return text;
  throw new InvalidArgumentError(`must be ${REGION_RULE}, got ${JSON.stringify(text)}`);
}

function urlFrom(text: string): string {
  if (isEndpoint(text)) return text;
  throw new InvalidArgumentError(`must be ${URL_RULE}, got ${JSON.stringify(text)}`);
}

/** The SDK would say of them what no one understands. @throws WrongUse */
function checkEnvironment(): void {
  for (const [name, value = ''] of Object.entries(process.env)) {
    const isRegion = name === 'AWS_REGION';
    if (value === '' || !(isRegion || /^AWS_ENDPOINT_URL(_|$)/.test(name))) continue;
    if (isRegion ? REGION.test(value) : isEndpoint(value)) continue;
    throw new WrongUse(`'${name}' must be ${isRegion ? REGION_RULE : URL_RULE}, got ${JSON.stringify(value)}`);
  }
}

/** The same of a command that changes something: it says what it will do, and asks. */
export function changingCommand(command: Command, description: string, exits: readonly string[] = []): Command {
  return operatorCommand(command, description, exits).option('--yes', 'do not ask', false);
}

/** Before anything is called. @throws WrongUse where there is no terminal to ask at */
export function checkCanAsk({ yes }: ChangingFlags): void {
  if (!yes && !process.stdin.isTTY) {
    throw new WrongUse("'--yes' must be given where no operator can be asked, got none");
  }
}

/** Says what is about to be done, and asks unless it was told not to. */
export async function agreesTo(
  what: readonly string[],
  asks: string,
  { yes }: ChangingFlags,
  signal: AbortSignal,
): Promise<boolean> {
  const lines = what.map(printable);
  if (!yes) return agrees([...lines, `${asks} [y/N] `].join('\n'), signal);
  for (const line of lines) report(line);
  return true;
}

/** On the error stream: what is printed stays clean for a program to read. */
export function report(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** What a person who ends it at once has to know. */
let heldLock: string | undefined;

export function warn(message: string): void {
  // What AWS or the store says may hold text that another person wrote.
  process.stderr.write(`drainshift: ${printable(message)}\n`);
}

/**
 * Ends at once when it is asked to stop before it has changed anything, and then in order: what was taken is given back. Asked
 * again, at once.
 *
 * @param untouched for a message: what has not been done by then
 */
export async function runOperator(
  work: (stop: Stop) => Promise<number>,
  untouched = 'nothing was changed',
): Promise<number> {
  const signal = listenForStop(() => heldLock !== undefined && warn(`ended at once: ${heldLock}`));
  try {
    return await runUntilStopped(work, signal, untouched);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    // The SDK's own words leave open where a region comes from.
    const isNowhere = /\bRegion is missing$/.test(said);
    const rule = "'--region' must be given where neither AWS_REGION nor the profile names one, got none";
    warn(isNowhere ? rule : said);
    const advice = isNowhere ? undefined : findAdvice(error);
    if (advice !== undefined) report(advice);
    return isNowhere || error instanceof WrongUse ? EXIT.wrongUse : EXIT.refused;
  }
}

const SIGN_IN = 'Your credentials have expired: sign in again (aws sso login), then run the command again.';

/**
 * By the name, the code and the message of an error, a line each. Those of the SDK are of another bundle, which has classes of
 * its own.
 */
const ADVICE: readonly (readonly [error: RegExp, advice: string])[] = [
  [/^(CredentialsProviderError|TokenProviderError)$[^]*(expired|sso login|sso session)/im, SIGN_IN],
  [/^(ExpiredToken|ExpiredTokenException|RequestExpired)$/m, SIGN_IN],
  [
    /^(CredentialsProviderError|TokenProviderError)$/m,
    "Give credentials as to the AWS CLI: '--profile', AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
  ],
  [
    /^(InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId|AuthFailure|SignatureDoesNotMatch|InvalidSignatureException|RequestTimeTooSkewed)$/m,
    'AWS does not accept your credentials: check which ones you give, and the clock of this computer.',
  ],
  [
    /^(ENOTFOUND|EAI_AGAIN)$/m,
    "No address is known for this host: check '--region' and '--endpoint-url' (or AWS_REGION and AWS_ENDPOINT_URL), then your network.",
  ],
  [
    /^(AccessDenied|AccessDeniedException|AuthorizationError)$/m,
    "Your identity lacks this right: see 'Rights' in docs/operating.md.",
  ],
  [
    /^AwsUnavailable$/m,
    'AWS did not respond as it should. Run the command again; its console and the AWS CLI may meet the same.',
  ],
];

/** What to do about an error. Its cause says more than what was made of it. */
export function findAdvice(error: unknown): string | undefined {
  if (!(error instanceof Error) && typeof error !== 'object') return undefined;
  const { name, code, message, cause } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const ofCause = cause === undefined ? undefined : findAdvice(cause);
  return ofCause ?? ADVICE.find(([pattern]) => pattern.test([name, code, message].join('\n')))?.[1];
}

/** The name under which a person's command holds the lock. */
export function manualExecution(): string {
  return `manual-${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}`;
}

export function noteLock(isHeld: boolean, execution: string): void {
  heldLock = isHeld ? lockNote(execution) : undefined;
}

/** From before the lock is asked for: its response may be under way. */
function lockNote(execution: string): string {
  const endsAt = new Date(Date.now() + LOCK_SECONDS.manual * 1000).toISOString();
  return `the lock may still be held by '${execution}'; it ends by itself at ${endsAt} at the latest. Look at the weights`;
}

/** On the error stream: what is printed stays clean for a program to read. */
export async function agrees(prompt: string, signal: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // A terminal in raw mode hands Ctrl-C over as text.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return /^y(es)?$/i.test((await terminal.question(prompt, { signal })).trim());
  } catch (error) {
    // The end of the input: no response is a no.
    if (error instanceof Error && error.name === 'AbortError' && !signal.aborted) return false;
    if (signal.aborted) process.stderr.write('\n');
    throw error;
  } finally {
    terminal.close();
  }
}

export async function connect(flags: OperatorFlags): Promise<{ ports: Operator.OperatorPorts }> {
  const { aws, config } = await findCutover(flags);
  return { ports: aws.operatorPorts(config, warn) };
}

interface FoundCutover {
  readonly aws: typeof Operator;
  readonly config: CutoverConfig;
}

export async function findCutover({
  stack,
  cutover,
  region,
  profile,
  endpointUrl,
}: OperatorFlags): Promise<FoundCutover> {
  // Read by the SDK as it is loaded and used.
  if (region !== undefined) process.env.AWS_REGION = region;
  if (profile !== undefined) process.env.AWS_PROFILE = profile;
  if (endpointUrl !== undefined) process.env.AWS_ENDPOINT_URL = endpointUrl;
  checkEnvironment();
  const aws = (await import(join(__dirname, '..', '..', 'assets', 'cli', 'operator.js'))) as typeof Operator;
  const { region: place, cutovers } = await aws.findCutoverConfigs(stack);
  if (cutovers) return { aws, config: choose(cutovers, stack, cutover) };
  const advice = "'--region' and '--profile' choose another region and account";
  throw new NotDeployed(`'--stack' must be a stack in ${place}, got '${stack}', which does not exist there; ${advice}`);
}

function choose(
  configs: ReadonlyMap<string, CutoverConfig>,
  stack: string,
  cutover: string | undefined,
): CutoverConfig {
  const names = [...configs.keys()].join(', ') || 'none';
  if (cutover === undefined && configs.size > 1) {
    throw new WrongUse(`'--cutover' must be given, because '${stack}' has several: one of ${names}, got none`);
  }
  const config = cutover === undefined ? [...configs.values()][0] : configs.get(cutover);
  if (!config)
    throw new NotDeployed(`'${stack}' must have an output ${cutover ?? 'that ends in CutoverConfig'}, got ${names}`);
  return config;
}

/** What a person has said no to. */
export function printDeclined({ json, stack }: OperatorFlags, said: string, execution: string): void {
  process.stdout.write(json ? asJson({ stack, execution, outcome: 'declined' }) : `${said}\n`);
}

export function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
