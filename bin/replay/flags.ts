import { validateHeaderName, validateHeaderValue } from 'node:http';
import { InvalidArgumentError } from 'commander';
import { KEY_RULE, KeyRule, parseKeyRule } from '../../core/replay/key';
import type { StoreUrl } from '../../core/capture/store-url';
import type { Rewrite } from '../../core/replay/outgoing';
import type { Side } from '../../core/traffic/weights';
import { readDecimal } from '../shared/numbers';
import type { PlaceUrl } from './open-place';

/** Of `drainshift replay`, as they were read. */
export interface ReplayFlags {
  readonly from: StoreUrl;
  readonly to: URL;
  readonly follow: boolean;
  readonly servedBy?: Side;
  readonly status?: PlaceUrl;
  /** The dimension `Service`. */
  readonly metrics?: string;
  readonly speed: number;
  readonly rate?: number;
  readonly key?: KeyRule;
  readonly fromTime?: number;
  readonly toTime?: number;
  readonly methods?: ReadonlySet<string>;
  readonly connections: number;
  /** Milliseconds, as all times are. */
  readonly window: number;
  readonly host?: string;
  readonly path?: Rewrite['paths'];
  readonly setHeader?: Rewrite['setHeaders'];
  readonly setHeaderFrom?: Rewrite['setHeaders'];
  readonly removeHeader?: readonly string[];
  readonly sigv4?: { readonly service: string; readonly region: string };
  readonly transform?: readonly string[];
  readonly insecure: boolean;
  readonly timeout: number;
  readonly attempts: number;
  readonly maxOutage: number;
  readonly skipDamaged: boolean;
  readonly checkpoint?: PlaceUrl;
  readonly parked?: PlaceUrl;
  readonly tuples?: string;
  readonly compare?: string;
  readonly ignore?: readonly string[];
  readonly repeatOn?: URL;
  readonly repeatShare: number;
  readonly json: boolean;
}

/** @throws InvalidArgumentError that says the rule */
export function keyFrom(text: string): KeyRule {
  const rule = parseKeyRule(text);
  if (rule) return rule;
  throw new InvalidArgumentError(`must be ${KEY_RULE}, got '${text}'`);
}

/** `max`, or a factor. */
export function speedFrom(text: string): number {
  const factor = text === 'max' ? Infinity : readDecimal(text);
  if (factor !== undefined && factor >= 0.01 && (factor <= 1_000 || factor === Infinity)) return factor;
  throw new InvalidArgumentError(`must be a number from 0.01 to 1000, or max, got '${text}'`);
}

export function rateFrom(text: string): number {
  const rate = readDecimal(text);
  if (rate !== undefined && rate >= 0.1 && rate <= 1_000_000) return rate;
  throw new InvalidArgumentError(`must be from 0.1 to 1000000 requests a second, got '${text}'`);
}

/** Milliseconds since 1970. */
export function timeFrom(text: string): number {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = isTime ? Date.parse(text) : NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidArgumentError(`must be a time such as 2026-11-30T17:00:00Z, got '${text}'`);
}

export function methodsFrom(text: string): ReadonlySet<string> {
  if (/^[A-Za-z]+(,[A-Za-z]+)*$/.test(text)) return new Set(text.toUpperCase().split(','));
  throw new InvalidArgumentError(`must be methods such as GET,HEAD, got '${text}'`);
}

export function pathFrom(
  text: string,
  before: readonly { readonly from: string; readonly to: string }[] = [],
): readonly { readonly from: string; readonly to: string }[] {
  const [, from, to] = /^(\/[^\s=]*)=(\/[^\s=]*)$/.exec(text) ?? [];
  if (from === undefined || to === undefined) throw new InvalidArgumentError(`must be /FROM=/TO, got '${text}'`);
  return [...before, { from, to }];
}

type Header = readonly [name: string, value: string];

/** What is wrong with a value is said without it: it may be a secret. */
export function headerFrom(text: string, before: readonly Header[] = []): readonly Header[] {
  const [, name = '', value = ''] = /^([^:]*):\s*(.*)$/s.exec(text) ?? [];
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new InvalidArgumentError(`must be 'NAME: VALUE' of a header, got one named '${name}'`);
  }
  return [...before, [name, value]];
}

/** `NAME=VARIABLE`: its value is no part of a command line. */
export function headerVariableFrom(text: string, before: readonly Header[] = []): readonly Header[] {
  const [, name = '', variable = ''] = /^([^=]+)=(\w+)$/.exec(text) ?? [];
  if (variable === '') throw new InvalidArgumentError(`must be NAME=VARIABLE, got '${text}'`);
  const value = process.env[variable];
  if (value === undefined) throw new InvalidArgumentError(`must name a variable that is set, got '${variable}'`);
  return headerFrom(`${name}: ${value}`, before);
}

/** The dimension of metrics. */
export function metricsFrom(text: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(text) && !text.startsWith(':')) return text;
  throw new InvalidArgumentError(`must be 1 to 255 printable characters of ASCII without blanks, got '${text}'`);
}

export function headerNameFrom(text: string, before: readonly string[] = []): readonly string[] {
  try {
    validateHeaderName(text);
  } catch {
    throw new InvalidArgumentError(`must be the name of a header, got '${text}'`);
  }
  return [...before, text.toLowerCase()];
}

/** `SERVICE/REGION`. */
export function signerFrom(text: string): { readonly service: string; readonly region: string } {
  const [, service, region] = /^([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(text) ?? [];
  if (service !== undefined && region !== undefined) return { service, region };
  throw new InvalidArgumentError(`must be SERVICE/REGION, such as es/eu-central-1, got '${text}'`);
}

/** A part from 0 to 1. */
export function partFrom(text: string): number {
  const part = readDecimal(text);
  if (part !== undefined && part > 0 && part <= 1) return part;
  throw new InvalidArgumentError(`must be a part above 0 and up to 1, such as 0.02, got '${text}'`);
}

export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
