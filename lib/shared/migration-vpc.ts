import { GatewayVpcEndpointAwsService, Vpc } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import { acknowledge } from '../validation/nag-suppressions';

/** A network of public and private subnets in two availability zones; S3 is reached without the NAT gateways. */
export function createVpc(parent: Construct): Vpc {
  const vpc = new Vpc(parent, 'Vpc', {
    maxAzs: 2,
    gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
  });
  acknowledge(vpc, 'network');
  return vpc;
}
