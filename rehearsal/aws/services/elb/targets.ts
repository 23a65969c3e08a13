import { isIPv4 } from 'node:net';
import { TargetAddress, TargetGroup } from '../../../load-balancer/model/model';
import { Parameters } from '../../operations/parameters';

/** The `Targets` of a call; an absent port is the group's. @throws AwsError */
export function readTargets(input: Parameters, group: TargetGroup): TargetAddress[] {
  const targets = input.objects('Targets').map((target) => {
    const id = target.text('Id');
    if (!isIPv4(id)) throw target.reject('Id', 'an IPv4 address', id);
    return { id, port: target.optionalInteger('Port', { min: 1, max: 65_535 }) ?? group.port };
  });
  if (targets.length === 0) throw input.reject('Targets', 'a list of at least one target', targets.length);
  return targets;
}
