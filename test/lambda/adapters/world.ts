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
