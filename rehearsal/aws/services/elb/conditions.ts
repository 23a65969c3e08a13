import { CONDITION_FIELDS, RuleCondition } from '../../../load-balancer/model/model';
import { AwsError } from '../../../errors/aws-error';
import { AwsObject } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';

const CONFIGS: Record<RuleCondition['field'], string> = {
  'path-pattern': 'PathPatternConfig',
  'host-header': 'HostHeaderConfig',
};

/**
 * The `Conditions` of a call, in either of their two forms.
 *
 * @throws AwsError OperationNotPermitted for a condition that is not rehearsed
 */
export function readConditions(input: Parameters): RuleCondition[] {
  return input.objects('Conditions').map((condition) => {
    const field = CONDITION_FIELDS.find((known) => known === condition.text('Field'));
    if (field === undefined) {
      const rule = `conditions must be ${CONDITION_FIELDS.join(' or ')} to be rehearsed`;
      throw new AwsError('OperationNotPermitted', `${rule}, got '${condition.text('Field')}'`);
    }
    const values = condition.optionalObject(CONFIGS[field])?.texts('Values') ?? condition.texts('Values');
    return { field, values };
  });
}

/** Both forms, as the service returns them. */
export function writeCondition({ field, values }: RuleCondition): AwsObject {
  return { Field: field, Values: values, [CONFIGS[field]]: { Values: values } };
}
