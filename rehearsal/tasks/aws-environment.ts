import type { ServiceSpec } from './runner';

export interface Account {
  readonly region: string;
  readonly endpointUrl: string;
}

/** How a process finds the AWS of a rehearsal, and in whose role it calls it: the name of the key says the role. */
export function awsEnvironment({ region, endpointUrl }: Account, role: string): Record<string, string> {
  return {
    AWS_REGION: region,
    AWS_ENDPOINT_URL: endpointUrl,
    AWS_ACCESS_KEY_ID: role,
    AWS_SECRET_ACCESS_KEY: 'rehearsal',
  };
}

/** A service whose tasks call AWS in their own role. */
export function inOwnRole(service: ServiceSpec, account: Account): ServiceSpec {
  const { container } = service;
  const environment = { ...container.environment, ...awsEnvironment(account, container.role) };
  return { ...service, container: { ...container, environment } };
}
