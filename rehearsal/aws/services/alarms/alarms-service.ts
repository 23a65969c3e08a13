import { AwsError } from '../../../errors/aws-error';
import { Operation, Place, AwsObject } from '../../operations/operation';
import { page } from '../../operations/paging';
import { Parameters } from '../../operations/parameters';
import { RpcService } from '../../protocols/rpc';
import { QueryService } from '../../protocols/query';
import { ALARM_STATES, Alarm, AlarmStates, AlarmState } from './alarm-states';

const MAX_PAGE = 100;
const DEFAULT_PAGE = 50;

/** Amazon CloudWatch: its alarms, in the protocols of today's SDKs (CBOR, JSON) and in that of older clients. */
export function alarmsServices(ledger: AlarmStates, place: Place): { rpc: RpcService; query: QueryService } {
  const shared = { prefix: 'cloudwatch', operations: alarmOperations(ledger, place) };
  return {
    rpc: {
      ...shared,
      target: 'GraniteServiceVersion20100801',
      version: '1.0',
      invalidCode: 'InvalidParameterValue',
      queryCodes: new Map([['InvalidParameterValue', 'InvalidParameterValueException']]),
    },
    query: {
      ...shared,
      version: '2010-08-01',
      namespace: 'http://monitoring.amazonaws.com/doc/2010-08-01/',
      invalidCode: 'InvalidParameterValue',
    },
  };
}

function alarmOperations(ledger: AlarmStates, place: Place): ReadonlyMap<string, Operation> {
  const buildArn = (name: string) => `arn:aws:cloudwatch:${place.region}:${place.account}:alarm:${name}`;

  const describeAlarms = (input: Parameters): AwsObject => {
    const kinds = input.texts('AlarmTypes');
    const asked = kinds.length === 0 ? ['MetricAlarm'] : kinds;
    const findKind = { metric: 'MetricAlarm', composite: 'CompositeAlarm' } as const;
    const found = ledger.all.filter((alarm) => asked.includes(findKind[alarm.kind]) && isAsked(alarm, input));
    const size = input.optionalInteger('MaxRecords', { min: 1, max: MAX_PAGE }) ?? DEFAULT_PAGE;
    const { items, next } = page(found, { size, token: input.optionalText('NextToken') }, () => {
      return new AwsError('InvalidNextToken', 'The next token is invalid');
    });
    const of = (kind: Alarm['kind']) => items.filter((alarm) => alarm.kind === kind).map(writeAlarm);
    return {
      MetricAlarms: of('metric'),
      CompositeAlarms: of('composite'),
      NextToken: next,
    };
  };

  const setAlarmState = (input: Parameters): AwsObject => {
    const name = input.text('AlarmName');
    const state = findState(input, 'StateValue');
    if (state === undefined) throw input.reject('StateValue', 'given', undefined);
    if (!ledger.set(name, state, input.text('StateReason'))) {
      throw new AwsError('ResourceNotFound', `There is no alarm with name ${name}`, 404);
    }
    return {};
  };

  // A policy that is scoped to some alarms shows no composite ones.
  const described = (input: Parameters) => {
    const names = input.texts('AlarmNames');
    const isScoped = names.length > 0 && !input.texts('AlarmTypes').includes('CompositeAlarm');
    return isScoped ? names.map(buildArn) : [buildArn('*')];
  };
  return new Map<string, Operation>([
    ['DescribeAlarms', { resources: described, run: describeAlarms }],
    ['SetAlarmState', { resources: (input) => [buildArn(input.text('AlarmName'))], run: setAlarmState }],
  ]);
}

function isAsked({ name, state }: Alarm, input: Parameters): boolean {
  const names = input.texts('AlarmNames');
  const wanted = findState(input, 'StateValue');
  return (
    (names.length === 0 || names.includes(name)) &&
    name.startsWith(input.optionalText('AlarmNamePrefix') ?? '') &&
    (wanted === undefined || wanted === state)
  );
}

function findState(input: Parameters, name: string): AlarmState | undefined {
  const text = input.optionalText(name);
  const state = ALARM_STATES.find((known) => known === text);
  if (text !== undefined && state === undefined) throw input.reject(name, `one of ${ALARM_STATES.join(', ')}`, text);
  return state;
}

function writeAlarm({ name, arn, description, state, reason, changedAt }: Alarm): AwsObject {
  return {
    AlarmName: name,
    AlarmArn: arn,
    AlarmDescription: description,
    ActionsEnabled: true,
    StateValue: state,
    StateReason: reason,
    StateUpdatedTimestamp: changedAt,
  };
}
