import type { Retries } from '../../functions/retries';
import { Ready, Resources } from '../resources/resources';

/** @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html */
const LAMBDA_PAUSES_MS = [60_000, 120_000];
const DEFAULT_VISIBILITY_SECONDS = 30;

/** By the ARN of the function, for those that an asynchronous call may reach. */
export function buildRetries(resources: Resources): ReadonlyMap<string, Retries> {
  const functions = resources.ofType('AWS::Lambda::Function').map(({ identity }) => identity);
  const queues = new Map(resources.ofType('AWS::SQS::Queue').map((queue) => [buildArn(resources, queue), queue]));
  const mappings = resources.ofType('AWS::Lambda::EventSourceMapping');
  const configs = resources.ofType('AWS::Lambda::EventInvokeConfig');
  return new Map(
    functions.map(({ ref, attributes: { Arn: arn = '' } }) => {
      const isOwn = ({ properties }: Ready) => [ref, arn].includes(properties.string('FunctionName', ''));
      const config = configs.find(isOwn)?.properties;
      const destination = config?.object('DestinationConfig').object('OnFailure').optionalString('Destination');
      const source = mappings.find(
        (each) => isOwn(each) && each.properties.string('EventSourceArn', '') === destination,
      );
      const queue = source && destination !== undefined ? queues.get(destination) : undefined;
      return [
        arn,
        {
          lambdaPausesMs: LAMBDA_PAUSES_MS.slice(0, config?.number('MaximumRetryAttempts', 2) ?? 2),
          ...(queue && destination !== undefined && { queue: findQueue(destination, queue) }),
        },
      ] as const;
    }),
  );
}

function findQueue(arn: string, { properties }: Ready): NonNullable<Retries['queue']> {
  const redrive = properties.object('RedrivePolicy');
  return {
    arn,
    visibilityMs: 1000 * properties.number('VisibilityTimeout', DEFAULT_VISIBILITY_SECONDS),
    maxReceives: redrive.has('maxReceiveCount') ? redrive.number('maxReceiveCount') : Infinity,
  };
}

/** As `Fn::GetAtt` gives it to references to the queue. */
function buildArn({ resolver }: Resources, { logicalId }: Ready): string {
  return resolver.attribute(logicalId, 'Arn');
}
