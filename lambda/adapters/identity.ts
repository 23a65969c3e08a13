import { partition } from '@aws-sdk/core/client';
import { parseXML } from '@aws-sdk/xml-builder';
import { CutoverError } from '../../core/errors/errors';
import { oneLine } from '../../core/text/one-line';
import { Statement, statementRequest } from '../../core/approval/statement';
import type { CutoverConfig } from '../../core/cutover/cutover-config';
import type { IdentityPort } from '../contract/ports';
import { withinStep } from '../contract/time-left';

/** Of one attempt. No step waits for it: the next poll asks again. */
const STS_MS = 3_000;
const ATTEMPTS = 2;
const ARN = /^arn:[\w-]+:(?:iam|sts)::\d{12}:[\x21-\x7e]{1,2000}$/;

/** Where the STS of a region is; the SDK's variables put another endpoint in its place, as a rehearsal's. */
export function stsUrl(region: string): URL {
  const { AWS_ENDPOINT_URL_STS: own, AWS_ENDPOINT_URL: all } = process.env;
  return new URL(own ?? all ?? `https://sts.${region}.${partition(region).dnsSuffix}`);
}

/**
 * The STS of this region. It gets a request that a person has signed; that person never chooses the address, or anything
 * beside the signature.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
export function identityPort(
  { weightedRuleArn }: Pick<CutoverConfig, 'weightedRuleArn'>,
  region = process.env.AWS_REGION ?? '',
): IdentityPort {
  const sts = stsUrl(region);
  return {
    host: sts.host,
    region,
    account: weightedRuleArn.split(':')[4] ?? '',
    findSigner: async (statement) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await askOnce(sts, statement);
        } catch (error) {
          if (!(error instanceof CutoverError) || attempt === ATTEMPTS) throw error;
        }
      }
    },
  };
}

async function askOnce(sts: URL, statement: Statement): Promise<string> {
  const { path, headers } = statementRequest(statement);
  const rule = 'STS must confirm the statement';
  const { status, text } = await get(new URL(path, sts), headers);
  const xml = parsed(text);
  if (status === 200) {
    const arn = xml.GetCallerIdentityResponse?.GetCallerIdentityResult?.Arn;
    if (typeof arn === 'string' && ARN.test(arn)) return arn;
    throw new CutoverError('AwsUnavailable', `${rule} with an ARN, got ${oneLine(text, 200)}`);
  }
  const { Code } = xml.ErrorResponse?.Error ?? {};
  // Without its message, which has the time of this call: the same problem is reported once.
  const got = oneLine([status, Code].filter(Boolean).join(' '), 200);
  const isRejected = (status === 400 || status === 403) && Code !== undefined && !/Throttl/.test(Code);
  if (isRejected) throw new Error(`${rule}, got ${got}`);
  throw new CutoverError('AwsUnavailable', `${rule}, got ${got}`);
}

async function get(url: URL, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const limitMs = Math.round(withinStep(STS_MS));
  try {
    const response = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(limitMs) });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    const { name, message, cause } = error as Error;
    const got = name === 'TimeoutError' ? `no response within ${limitMs / 1000} s` : (formatCause(cause) ?? message);
    throw new CutoverError('AwsUnavailable', `STS at ${url.host} must respond, got ${oneLine(got, 200)}`, {
      cause: error,
    });
  }
}

/** Why a fetch failed is in its cause. */
function formatCause(cause: unknown): string | undefined {
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : undefined;
}

interface StsXml {
  readonly GetCallerIdentityResponse?: { readonly GetCallerIdentityResult?: { readonly Arn?: unknown } };
  readonly ErrorResponse?: { readonly Error?: { readonly Code?: string } };
}

function parsed(text: string): StsXml {
  try {
    return parseXML(text) as StsXml;
  } catch {
    return {};
  }
}
