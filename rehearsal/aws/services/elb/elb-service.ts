import { QueryService } from '../../protocols/query';
import { describeOperations } from './describe';
import { ElbOptions } from './elb-options';
import { modifyOperations } from './modify';
import { ruleOperations } from './rules';
import { tagOperations } from './tags';

/** Elastic Load Balancing v2. */
export function elbService(options: ElbOptions): QueryService {
  return {
    prefix: 'elasticloadbalancing',
    version: '2015-12-01',
    namespace: 'http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/',
    invalidCode: 'ValidationError',
    operations: new Map([
      ...describeOperations(options),
      ...tagOperations(options),
      ...modifyOperations(options),
      ...ruleOperations(options),
    ]),
  };
}
