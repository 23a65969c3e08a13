import type { Place } from './operation';

export interface Arn {
  readonly service: string;
  readonly region: string;
  readonly account: string;
  /** What stands behind the fifth colon: `targetgroup/name/id`. */
  readonly resource: string;
}

/**
 * `arn:partition:service:region:account:resource`; undefined for what is none.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
 */
export function readArn(text: string): Arn | undefined {
  const [, service = '', region = '', account = '', resource = ''] =
    /^arn:aws[\w-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{12}|):(.+)$/s.exec(text) ?? [];
  return service === '' ? undefined : { service, region, account, resource };
}

/** Whether a text is an ARN of this service, of a resource of this shape, of any place. */
export function isArnFor(text: string, service: string, shape: RegExp): boolean {
  const arn = readArn(text);
  return arn?.service === service && arn.region !== '' && arn.account !== '' && shape.test(arn.resource);
}

/** Whether it is of this account and region. */
export function isHere({ region, account }: Arn, place: Place): boolean {
  return region === place.region && account === place.account;
}
