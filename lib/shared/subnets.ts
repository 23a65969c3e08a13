import { Token } from 'aws-cdk-lib';
import { IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { reject } from '../validation/validation';

/** One subnet of each availability zone. @throws Error where it is known that there are fewer than two */
export function listSubnetsOfZones(vpc: IVpc, vpcSubnets: SubnetSelection | undefined): string[] {
  const { subnetIds, availabilityZones } = vpc.selectSubnets({ onePerAz: true, ...vpcSubnets });
  const isKnown = !Token.isUnresolved(subnetIds) && !Token.isUnresolved(availabilityZones);
  if (isKnown && new Set(availabilityZones).size < 2) {
    reject('vpcSubnets', 'in 2 availability zones at least', availabilityZones.join(', '));
  }
  return subnetIds;
}
