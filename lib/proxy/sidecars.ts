import { Duration } from 'aws-cdk-lib';
import { ContainerDefinitionOptions } from 'aws-cdk-lib/aws-ecs';
import { ADMIN_PORT, DATA_PORT } from '../shared/ports';
import { checkDuration, reject } from '../validation/validation';

/** A container beside the proxy shares its network and its end. */
export function checkSidecar({
  containerName,
  portMappings,
  stopTimeout,
  privileged,
}: ContainerDefinitionOptions): void {
  if (containerName === 'proxy') reject('containerName', 'another one than the proxy has', containerName);
  const taken = portMappings?.find(({ containerPort }) => containerPort === DATA_PORT || containerPort === ADMIN_PORT);
  if (taken) reject('containerPort', "another one than the proxy's", taken.containerPort);
  if (stopTimeout) checkDuration('stopTimeout', stopTimeout, { min: Duration.seconds(2), max: Duration.seconds(120) });
  if (privileged === true) reject('privileged', 'false', privileged);
}
