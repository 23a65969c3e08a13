import { replaceActions } from '../../../load-balancer/model/rules';
import { AwsError } from '../../../errors/aws-error';
import { Operation, AwsObject } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';
import { readAction } from './actions';
import { setTargetGroupAttributes, targetGroupAttributes } from './attributes';
import { ElbOptions } from './elb-options';
import { writeListener } from './shapes';
import { readTargets } from './targets';

/** The actions that change listeners, target groups and targets; each is allowed or denied by the ARN that it changes. */
export function modifyOperations({ elb, targets }: ElbOptions): ReadonlyMap<string, Operation> {
  const modifyListener = (input: Parameters): AwsObject => {
    const listener = elb.listener(input.text('ListenerArn'));
    const fixed = input.names.find((name) => name !== 'ListenerArn' && name !== 'DefaultActions');
    if (fixed !== undefined) throw notRehearsed(`'${fixed}' of a listener`);
    const rule = elb.listRules(listener.arn).find(({ priority }) => priority === 'default');
    if (input.has('DefaultActions') && rule) {
      replaceActions(elb, rule.arn, input.objects('DefaultActions').map(readAction));
    }
    return { Listeners: [writeListener(elb, listener)] };
  };

  const modifyTargetGroupAttributes = (input: Parameters): AwsObject => {
    const group = elb.targetGroup(input.text('TargetGroupArn'));
    const changes = input
      .objects('Attributes')
      .map((pair) => [pair.text('Key'), pair.optionalText('Value') ?? ''] as const);
    if (changes.length === 0) throw input.reject('Attributes', 'a list of at least one attribute', 0);
    setTargetGroupAttributes(elb, group, new Map(changes));
    return { Attributes: targetGroupAttributes(group.attributes) };
  };

  const move =
    (how: 'register' | 'deregister') =>
    (input: Parameters): AwsObject => {
      const group = elb.targetGroup(input.text('TargetGroupArn'));
      targets[how](group.arn, readTargets(input, group));
      return {};
    };

  return new Map<string, Operation>([
    ['ModifyListener', { resources: buildArn('ListenerArn'), run: modifyListener }],
    ['ModifyTargetGroupAttributes', { resources: buildArn('TargetGroupArn'), run: modifyTargetGroupAttributes }],
    ['RegisterTargets', { resources: buildArn('TargetGroupArn'), run: move('register') }],
    ['DeregisterTargets', { resources: buildArn('TargetGroupArn'), run: move('deregister') }],
  ]);
}

const buildArn = (name: string) => (input: Parameters) => [input.text(name)];

function notRehearsed(what: string): AwsError {
  return new AwsError('OperationNotPermitted', `The rehearsal does not change ${what}`);
}
