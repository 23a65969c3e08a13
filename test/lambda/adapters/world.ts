import { spawnSync } from 'node:child_process';
import { REGION } from '../../rehearsal/aws/world';

/** Makes the SDK clients of this process those of a Lambda function, at an endpoint. */
export function callEndpoint(url: string): void {
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'LAMBDA',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
}

const HAS_AWS_CLI = spawnSync('aws', ['--version']).status === 0;

/** A test with the AWS CLI; where it is not installed it is skipped, and says so. */
export const awsCliTest: jest.It = (() => {
  if (!HAS_AWS_CLI) process.stderr.write('skipped: tests of the adapters with the AWS CLI, which is not installed\n');
  return HAS_AWS_CLI ? test : test.skip;
})();
