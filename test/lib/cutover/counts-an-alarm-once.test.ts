import { CfnParameter, Stack } from 'aws-cdk-lib';
import { Alarm, CompositeAlarm, AlarmRule, IAlarm, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { checkedBy } from '../../../lib/cutover/cutover-config';
import { newStack } from '../fixture';

const ARN = 'arn:aws:cloudwatch:eu-central-1:111122223333:alarm:db';
const metric = new Metric({ namespace: 'App', metricName: 'Errors' });

let stack: Stack;
let count = 0;
beforeEach(() => void (stack = newStack()));

const byArn = (arn = ARN) => Alarm.fromAlarmArn(stack, `Import${(count += 1)}`, arn);
const byName = (name = 'db') => Alarm.fromAlarmName(stack, `Import${(count += 1)}`, name);
const create = (alarmName?: string, scope = stack) =>
  new Alarm(scope, 'Own', { metric, threshold: 1, evaluationPeriods: 1, alarmName });

/** How many alarms each side has, of those that the props name. */
function countSides(sourceAlarms: IAlarm[], alarms: IAlarm[]): [number, number] {
  const { source, target } = checkedBy({ sourceAlarms, alarms } as unknown as Parameters<typeof checkedBy>[0]);
  return [source.metric.length + source.other.length, target.metric.length + target.other.length];
}

const PAIRS: [string, () => [IAlarm, IAlarm]][] = [
  ['by its ARN', () => [byArn(), byArn()]],
  ['by its name', () => [byName(), byName()]],
  ['by its ARN and its name', () => [byArn(), byName()]],
  [
    'by an ARN that comes with the deployment',
    () => {
      const { valueAsString } = new CfnParameter(stack, 'Arn');
      return [byArn(valueAsString), byArn(valueAsString)];
    },
  ],
  [
    'of the stack, and by its ARN',
    () => {
      const own = create();
      return [byArn(own.alarmArn), own];
    },
  ],
  [
    'of the stack, and by its name',
    () => {
      const own = create();
      return [own, byName(own.alarmName)];
    },
  ],
  ['of the stack, and by the name that it is given', () => [create('db'), byName()]],
  [
    'of several alarms, and by its name',
    () => {
      const own = new CompositeAlarm(stack, 'All', {
        compositeAlarmName: 'db',
        alarmRule: AlarmRule.fromBoolean(true),
      });
      return [byArn(), own];
    },
  ],
  [
    'that is one construct',
    () => {
      const own = create();
      return [own, own];
    },
  ],
];

test.each(PAIRS)(
  'an alarm that is named twice, %s, counts once, and for the source where it is named there',
  (_, make) => {
    const [one, other] = make();
    expect(countSides([one], [other])).toEqual([1, 0]);
    expect(countSides([other], [one])).toEqual([1, 0]);
    expect(countSides([one, other], [])).toEqual([1, 0]);
    expect(countSides([], [one, other])).toEqual([0, 1]);
  },
);

test('others count for themselves', () => {
  const alarms = [create(), byArn(), byName('db2'), byArn(`${ARN}3`)];
  expect(countSides(alarms.slice(0, 2), alarms.slice(2))).toEqual([2, 2]);
});

test('alarms of two stacks are two, though their logical ids are one', () => {
  const [one, other] = [create(), create(undefined, new Stack(stack.node.root, 'Other'))];
  expect(countSides([one], [other])).toEqual([1, 1]);
  expect(countSides([byArn(one.alarmArn)], [byArn(other.alarmArn)])).toEqual([1, 1]);
  expect(countSides([byArn(other.alarmArn)], [other])).toEqual([1, 0]);
});
