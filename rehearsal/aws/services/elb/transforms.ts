import { RuleTransform, TRANSFORM_TYPES } from '../../../load-balancer/model/model';
import { AwsObject } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';

const CONFIGS: Record<RuleTransform['type'], string> = {
  'host-header-rewrite': 'HostHeaderRewriteConfig',
  'url-rewrite': 'UrlRewriteConfig',
};

/** The `Transforms` of a call. @throws AwsError */
export function readTransforms(input: Parameters): RuleTransform[] {
  return input.objects('Transforms').map((transform) => {
    const type = TRANSFORM_TYPES.find((known) => known === transform.text('Type'));
    if (!type) throw transform.reject('Type', `one of ${TRANSFORM_TYPES.join(', ')}`, transform.text('Type'));
    const rewrites = transform.optionalObject(CONFIGS[type])?.objects('Rewrites') ?? [];
    return {
      type,
      rewrites: rewrites.map((rewrite) => ({
        regex: rewrite.text('Regex'),
        replace: rewrite.optionalText('Replace') ?? '',
      })),
    };
  });
}

export function writeTransform({ type, rewrites }: RuleTransform): AwsObject {
  return {
    Type: type,
    [CONFIGS[type]]: { Rewrites: rewrites.map(({ regex, replace }) => ({ Regex: regex, Replace: replace })) },
  };
}
