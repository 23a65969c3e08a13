import { validateHeaderName, validateHeaderValue } from 'node:http';
import { Command, InvalidArgumentError, Option } from 'commander';
import { CheckTarget } from '../../check/target';
import { Expectation } from '../../core/check/load';
import { POINTER_RULE, parsePointer } from '../../core/check/pointer';
import { MILLISECONDS_RULE, parseMilliseconds } from '../../core/validation/duration';
import { WrongUse } from '../shared/operator-command';

/** What every check of a URL takes. */
export interface TargetFlags {
  readonly url: URL;
  readonly header?: readonly string[];
  readonly insecure: boolean;
  /** Milliseconds. */
  readonly timeout: number;
  readonly json: boolean;
}

export interface WebSocketFlags extends TargetFlags {
  readonly subprotocol?: readonly string[];
}

const MAX_TIMEOUT_MS = 600_000;

/** @param protocols of the URLs that it can check, without a colon */
export function withTarget(command: Command, protocols: readonly string[]): Command {
  return command
    .requiredOption('--url <url>', `what to check: a URL of ${protocols.join(', ')}`, urlFrom(protocols))
    .option('--header <header>', "send this header ('Name: value'); repeatable", collect)
    .option('--insecure', 'do not check certificates', false)
    .addOption(timeOption('--timeout <time>', 'of each request, handshake and response', [1, MAX_TIMEOUT_MS], '10s'))
    .option('--json', 'print JSON', false);
}

export function withSubprotocols(command: Command): Command {
  return command.option('--subprotocol <name>', 'offer this subprotocol; repeatable', readSubprotocol);
}

/**
 * What is wrong here is said without the value, which may be a secret: the command line would show it.
 *
 * @throws WrongUse
 */
export function readTarget(flags: WebSocketFlags): CheckTarget {
  const { url, header = [], subprotocol = [], insecure, timeout } = flags;
  if (url.username !== '' || url.password !== '') {
    throw new WrongUse("'--url' must have no user and no password, got some: give them with '--header'");
  }
  return { url, headers: readHeaders(header), subprotocols: subprotocol, insecure, timeoutMs: timeout };
}

export function urlFrom(protocols: readonly string[]) {
  return (text: string): URL => {
    const rule = `a URL of ${protocols.join(', ')}`;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url) throw new InvalidArgumentError(`must be ${rule}, got '${text}'`);
    if (!protocols.includes(url.protocol.slice(0, -1)))
      throw new InvalidArgumentError(`must be ${rule}, got one of '${url.protocol.slice(0, -1)}'`);
    return url;
  };
}

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** @throws WrongUse */
function readHeaders(given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(given.map(readHeader));
}

function readHeader(text: string): readonly [string, string] {
  const [, name = '', value = ''] = /^([^:]*):\s*(.*)$/s.exec(text) ?? [];
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new WrongUse(`'--header' must be 'NAME: VALUE' of a header, got one named '${name}'`);
  }
  return [name.toLowerCase(), value];
}

/** A token of RFC 9110 section 5.6.2, as RFC 6455 section 4.1 asks for. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function readSubprotocol(text: string, before: readonly string[] = []): readonly string[] {
  if (TOKEN.test(text) && !before.includes(text)) return [...before, text];
  throw new InvalidArgumentError(`must be a token, given once, got '${text}'`);
}

export function msFrom(min: number, max: number) {
  return (text: string): number => {
    const ms = parseMilliseconds(text);
    if (ms !== undefined && ms >= min && ms <= max) return ms;
    throw new InvalidArgumentError(
      `must be ${MILLISECONDS_RULE}, from ${showTime(min)} to ${showTime(max)}, got '${text}'`,
    );
  };
}

/** With a default that the help shows as a person would write it. */
export function timeOption(
  flags: string,
  description: string,
  [min, max]: readonly [number, number],
  normal: string,
): Option {
  return new Option(flags, description).argParser(msFrom(min, max)).default(parseMilliseconds(normal), normal);
}

function showTime(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** @returns 0 to 1 */
export function readShare(text: string): number {
  const [, digits] = /^(\d{1,3}(?:\.\d+)?)%$/.exec(text) ?? [];
  const share = Number(digits) / 100;
  if (digits !== undefined && share <= 1) return share;
  throw new InvalidArgumentError(`must be from 0% to 100%, got '${text}'`);
}

export function readField(text: string, before: readonly (readonly string[])[] = []): readonly (readonly string[])[] {
  return [...before, readPath(text)];
}

export function readPath(text: string): readonly string[] {
  const path = parsePointer(text);
  if (path) return path;
  throw new InvalidArgumentError(`must be ${POINTER_RULE}, got '${text}'`);
}

const EXPECT_RULE = 'echo, any, or a JSON pointer (/message_id)';

export function expectationFrom(text: string): Expectation {
  if (text === 'echo' || text === 'any') return text;
  const path = text.startsWith('/') ? parsePointer(text) : undefined;
  if (path) return { path };
  throw new InvalidArgumentError(`must be ${EXPECT_RULE}, got '${text}'`);
}
