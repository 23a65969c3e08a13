import { Duration, Token } from 'aws-cdk-lib';
import { isWeight, MAX_WEIGHT } from '../core/weights';
import { TrafficWeights } from './traffic-weights';

/**
 * What AWS, or the CDK, would accept now and fail on later is refused at synth. A value that is known only at
 * deployment (a token) passes.
 *
 * @throws Error of one line: name, rule, value.
 */
export function refuse(name: string, rule: string, value: unknown): never {
  throw new Error(`'${name}' must be ${rule}, got ${String(value)}`);
}

export function checkWeights(name: string, weights: TrafficWeights): void {
  for (const side of ['source', 'target'] as const) {
    const weight = weights[side];
    if (!Token.isUnresolved(weight) && !isWeight(weight)) {
      refuse(`${name}.${side}`, `an integer from 0 to ${MAX_WEIGHT}`, weight);
    }
  }
  if (weights.source === 0 && weights.target === 0) refuse(name, 'weights of which one at least is over 0', '0/0');
}

export function checkDuration(name: string, duration: Duration, bounds: { min: Duration; max: Duration }): void {
  if (duration.isUnresolved()) return;
  const ms = duration.toMilliseconds();
  if (ms < bounds.min.toMilliseconds() || ms > bounds.max.toMilliseconds()) {
    refuse(name, `from ${bounds.min.toHumanString()} to ${bounds.max.toHumanString()}`, duration.toHumanString());
  }
}

const HOST = /^https?:\/\/([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?$/;

export function checkUpstreamUrl(name: string, url: string): void {
  if (Token.isUnresolved(url)) return;
  if (!HOST.test(url) || !URL.canParse(url) || new URL(url).port === '0')
    refuse(name, 'http(s)://host[:port] without a path', url);
}

export function checkDomainName(name: string, domainName: string): void {
  if (Token.isUnresolved(domainName)) return;
  if (!/^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/.test(domainName)) refuse(name, 'a host name without a wildcard', domainName);
}

export function checkPort(name: string, port: number): void {
  if (Token.isUnresolved(port)) return;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) refuse(name, 'a port from 1 to 65535', port);
}

export function checkInteger(name: string, value: number, bounds: { min: number; max: number }): void {
  if (Token.isUnresolved(value)) return;
  if (!Number.isInteger(value) || value < bounds.min || value > bounds.max) {
    refuse(name, `an integer from ${bounds.min} to ${bounds.max}`, value);
  }
}
