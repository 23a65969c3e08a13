import { CfnResource, Stack } from 'aws-cdk-lib';

/** The properties of a resource as they will be in the template. To be asked for when all constructs are there: by a validation. */
export function listProperties(resource: CfnResource): Readonly<Record<string, unknown>> {
  const { _toCloudFormation: render } = resource as unknown as { _toCloudFormation: () => object };
  const { Resources } = Stack.of(resource).resolve(render.call(resource)) as {
    Resources: Record<string, { Properties?: Record<string, unknown> }>;
  };
  return Object.values(Resources)[0]?.Properties ?? {};
}
