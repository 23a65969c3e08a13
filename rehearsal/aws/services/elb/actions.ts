import { Action, ForwardConfig } from '../../../load-balancer/model/model';
import { AwsError } from '../../../errors/aws-error';
import { AwsObject } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';

const MAX_INTEGER = 2 ** 31 - 1;
const REDIRECT_FIELDS = ['Protocol', 'Port', 'Host', 'Path', 'Query'] as const;

/**
 * Reads one element of `Actions` or `DefaultActions`. Whether it fits the load balancer is for `checkActions` to say.
 *
 * @throws AwsError
 */
export function readAction(input: Parameters): Action {
  const type = input.text('Type');
  switch (type) {
    case 'forward':
      return { type, forward: readForward(input) };
    case 'fixed-response':
      return readFixedResponse(input);
    case 'redirect':
      return readRedirect(input);
    default:
      throw new AwsError(
        'InvalidLoadBalancerAction',
        `'Type' must be forward, redirect or fixed-response, got ${type}`,
      );
  }
}

/** A single group may be named beside the configuration, if both say the same. An absent weight is 1. */
function readForward(input: Parameters): ForwardConfig {
  const single = input.optionalText('TargetGroupArn');
  const config = input.optionalObject('ForwardConfig');
  const groups = (config?.objects('TargetGroups') ?? []).map((group) => ({
    arn: group.text('TargetGroupArn'),
    weight: group.optionalInteger('Weight', { min: -MAX_INTEGER, max: MAX_INTEGER }) ?? 1,
  }));
  if (single !== undefined && groups.some(({ arn }) => arn !== single)) {
    throw input.reject('TargetGroupArn', 'the one target group of ForwardConfig when both are given', single);
  }
  if (groups.length === 0) groups.push({ arn: single ?? input.text('TargetGroupArn'), weight: 1 });
  return { targetGroups: groups, stickiness: readStickiness(config?.optionalObject('TargetGroupStickinessConfig')) };
}

function readStickiness(input: Parameters | undefined): ForwardConfig['stickiness'] {
  return {
    enabled: input?.optionalBoolean('Enabled') ?? false,
    durationSeconds: input?.optionalInteger('DurationSeconds', { min: 0, max: MAX_INTEGER }) ?? 0,
  };
}

function readFixedResponse(input: Parameters): Action {
  const config = required(input, 'FixedResponseConfig');
  const statusCode = config.text('StatusCode');
  if (!/^[245]\d\d$/.test(statusCode)) throw config.reject('StatusCode', '2XX, 4XX or 5XX', statusCode);
  return {
    type: 'fixed-response',
    statusCode: Number(statusCode),
    contentType: config.optionalText('ContentType') ?? 'text/plain',
    body: config.optionalText('MessageBody') ?? '',
  };
}

function readRedirect(input: Parameters): Action {
  const config = required(input, 'RedirectConfig');
  const statusCode = config.text('StatusCode');
  if (statusCode !== 'HTTP_301' && statusCode !== 'HTTP_302') {
    throw config.reject('StatusCode', 'HTTP_301 or HTTP_302', statusCode);
  }
  const fields = REDIRECT_FIELDS.map((field) => [field, config.optionalText(field)] as const);
  const redirect = Object.fromEntries(
    fields.filter((pair): pair is [(typeof pair)[0], string] => pair[1] !== undefined),
  );
  return { type: 'redirect', redirect, statusCode: Number(statusCode.slice(-3)) };
}

function required(input: Parameters, name: string): Parameters {
  const config = input.optionalObject(name);
  if (config === undefined) throw input.reject(name, 'given', undefined);
  return config;
}

/** Writes an action the way the service returns it: with one group, `TargetGroupArn` stands beside `ForwardConfig`. */
export function writeAction(action: Action): AwsObject {
  switch (action.type) {
    case 'forward':
      return { Type: action.type, ...writeForward(action.forward) };
    case 'fixed-response':
      return {
        Type: action.type,
        FixedResponseConfig: {
          MessageBody: action.body === '' ? undefined : action.body,
          StatusCode: String(action.statusCode),
          ContentType: action.contentType,
        },
      };
    case 'redirect':
      return { Type: action.type, RedirectConfig: { ...action.redirect, StatusCode: `HTTP_${action.statusCode}` } };
  }
}

function writeForward(forward: ForwardConfig): AwsObject {
  const { targetGroups, stickiness } = forward;
  return {
    TargetGroupArn: targetGroups.length === 1 ? targetGroups[0]?.arn : undefined,
    ForwardConfig: {
      TargetGroups: targetGroups.map(({ arn, weight }) => ({ TargetGroupArn: arn, Weight: weight })),
      TargetGroupStickinessConfig: {
        Enabled: stickiness.enabled,
        DurationSeconds: stickiness.durationSeconds > 0 ? stickiness.durationSeconds : undefined,
      },
    },
  };
}
