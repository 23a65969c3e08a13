import { Cluster, EcsModel, EcsService, EcsTask } from '../../../tasks/model';
import { AwsError } from '../../../errors/aws-error';
import { isHere, readArn } from '../../operations/arn';
import { Place } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';
import { formatName } from './shapes';

/** Finds clusters, services and tasks by the names and ARNs that callers use, and knows the ARN of what does not exist. */
export class EcsLookup {
  constructor(
    private readonly model: EcsModel,
    private readonly place: Place,
  ) {}

  clusterArn(input: Parameters): string {
    return this.arn('cluster', input.optionalText('cluster') ?? 'default');
  }

  /** @throws AwsError ClusterNotFoundException */
  cluster(input: Parameters): Cluster {
    const found = this.findCluster(this.clusterArn(input));
    if (!found) throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
    return found;
  }

  findCluster(nameOrArn: string): Cluster | undefined {
    const arn = this.arn('cluster', nameOrArn);
    return [...this.model.clusters.values()].find((cluster) => cluster.arn === arn || cluster.name === nameOrArn);
  }

  serviceArn(input: Parameters, nameOrArn: string): string {
    return this.arn(`service/${this.clusterName(input)}`, nameOrArn);
  }

  findService(cluster: Cluster, nameOrArn: string): EcsService | undefined {
    return [...this.model.services.values()].find(
      ({ arn, name, clusterArn }) => clusterArn === cluster.arn && (arn === nameOrArn || name === nameOrArn),
    );
  }

  /** @throws AwsError ServiceNotFoundException */
  service(cluster: Cluster, nameOrArn: string): EcsService {
    const found = this.findService(cluster, nameOrArn);
    if (!found) throw new AwsError('ServiceNotFoundException', 'Service not found.');
    return found;
  }

  taskArn(input: Parameters, idOrArn: string): string {
    return this.arn(`task/${this.clusterName(input)}`, idOrArn);
  }

  findTask(cluster: Cluster, idOrArn: string): EcsTask | undefined {
    return [...this.model.tasks.values()].find(
      ({ arn, clusterArn }) => clusterArn === cluster.arn && (arn === idOrArn || formatName(arn) === idOrArn),
    );
  }

  findTasks(cluster: Cluster): EcsTask[] {
    return [...this.model.tasks.values()].filter((task) => task.clusterArn === cluster.arn);
  }

  private clusterName(input: Parameters): string {
    return formatName(this.clusterArn(input));
  }

  /** @throws AwsError InvalidParameterException for an ARN that is of something else, or of somewhere else */
  private arn(kind: string, nameOrArn: string): string {
    if (!nameOrArn.startsWith('arn:')) {
      return `arn:aws:ecs:${this.place.region}:${this.place.account}:${kind}/${nameOrArn}`;
    }
    const [type = ''] = kind.split('/');
    const { clusters, services, tasks } = this.model;
    const known: ReadonlyMap<string, unknown> | undefined = { cluster: clusters, service: services, task: tasks }[type];
    if (known?.has(nameOrArn)) return nameOrArn;
    const arn = readArn(nameOrArn);
    if (!arn || arn.service !== 'ecs' || !arn.resource.startsWith(`${type}/`)) {
      throw invalidIdentifier(`Your identifier must be the name or the ARN of a ${type}`, nameOrArn);
    }
    if (!isHere(arn, this.place)) {
      const { region, account } = this.place;
      throw invalidIdentifier(`Your region is ${region} and your accountId is ${account}`, nameOrArn);
    }
    return nameOrArn;
  }
}

function invalidIdentifier(rule: string, got: string): AwsError {
  return new AwsError('InvalidParameterException', `Invalid identifier: ${rule}, got '${got.slice(0, 200)}'`);
}
