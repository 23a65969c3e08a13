import { setTimeout as pause } from 'node:timers/promises';
import { partition } from '@aws-sdk/core/client';
import { ECSClient } from '@aws-sdk/client-ecs';
import { SignatureV4 } from '@smithy/signature-v4';
import { CutoverError } from '../../../core/errors/errors';
import { oneLine } from '../../../core/text/one-line';
import { waitingFor, withinStep } from '../../contract/time-left';
import { CLIENT_CONFIG } from './client-config';

/** A service that speaks AWS JSON 1.1. */
export interface JsonService {
  /** As messages name it: `Application Auto Scaling`. */
  readonly name: string;
  /** Of its host and its signature: `application-autoscaling`. */
  readonly prefix: string;
  /** Before the action: `AnyScaleFrontendService`. */
  readonly target: string;
  /** The variable with another endpoint: `AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING`. */
  readonly endpointVariable: string;
}

const ATTEMPTS = 3;

/** The call itself was wrong, or is not allowed: the next one is, too. */
class Rejected extends Error {}

/**
 * A few calls, all of which may be repeated, are no reason for another client of the SDK in the bundle of every step.
 *
 * @param limitMs of one attempt
 * @throws CutoverError `AwsUnavailable`
 */
export async function callJson(
  service: JsonService,
  action: string,
  input: object,
  limitMs: number,
  attempts = ATTEMPTS,
): Promise<unknown> {
  const rule = `${service.name} must respond to ${action}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await waitingFor(rule, () => callOnce(service, action, input, limitMs));
    } catch (error) {
      const got = oneLine(error instanceof Error ? error.message : String(error), 300);
      const isFinal = error instanceof Rejected || attempt === attempts || withinStep(limitMs) < limitMs / 2;
      if (isFinal) throw new CutoverError('AwsUnavailable', `${rule}, got ${got}`);
      await pause(100 * 2 ** attempt * Math.random());
    }
  }
}

async function callOnce(service: JsonService, action: string, input: object, limitMs: number): Promise<unknown> {
  // Any client knows them.
  const { config } = new ECSClient(CLIENT_CONFIG);
  const region = await config.region();
  const { [service.endpointVariable]: own, AWS_ENDPOINT_URL: all } = process.env;
  const url = new URL(own ?? all ?? `https://${service.prefix}.${region}.${partition(region).dnsSuffix}`);
  const body = JSON.stringify(input);
  const signer = new SignatureV4({
    ...{ credentials: config.credentials, region, sha256: config.sha256 },
    service: service.prefix,
  });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port !== '' && { port: Number(url.port) }),
    path: '/',
    headers: {
      host: url.host,
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `${service.target}.${action}`,
    },
    body,
  });
  const signal = AbortSignal.timeout(withinStep(limitMs));
  const response = await fetch(url, { method: 'POST', headers, body, signal });
  const text = await response.text();
  if (response.ok) return text === '' ? {} : (JSON.parse(text) as unknown);
  const got = `${response.status} ${text}`;
  const isRejected = response.status < 500 && response.status !== 429 && !/Throttl|ConcurrentUpdate/.test(text);
  throw isRejected ? new Rejected(got) : new Error(got);
}
