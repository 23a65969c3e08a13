import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArnFormat, Names, Stack, Token } from 'aws-cdk-lib';
import { Instance } from 'aws-cdk-lib/aws-ec2';
import { BaseService, TaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { IRole, ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import { Construct, IConstruct } from 'constructs';
import { renderCheckpointDocument } from '../../core/state/checkpoint-document';
import { hostAsset } from '../shared/assets';
import { checkNames } from '../validation/known-props';
import { reject } from '../validation/validation';

/** What dumps and restores the processes of an application. Both hosts must have it. */
export enum CheckpointEngine {
  /** CRIU 4.2 or newer. */
  CRIU = 'criu',
  /** Cedana, whose daemon must run. */
  CEDANA = 'cedana',
}

/** An application on an instance of EC2. */
export interface CheckpointHost {
  /**
   * The `ec2.Instance` that it runs on. A service of Fargate is rejected: its tasks have no right to dump a process.
   * @default - `instanceId`
   */
  readonly instance?: IConstruct;

  /**
   * The id of an instance that this app does not make: `i-…`, or `mi-…` of a managed node.
   * @default - `instance`
   */
  readonly instanceId?: string;

  /** The file with the id of the process that all others of the application descend from: `/run/app.pid`. */
  readonly pidFile: string;

  /** The command, for root, that starts a fresh application, which writes the file: `systemctl restart app`. */
  readonly start: string;
}

/** Two hosts, between which the memory of an application moves. */
export interface CheckpointHostsProps {
  /** The host of the source. */
  readonly source: CheckpointHost;

  /** The host of the target, on which a fresh application runs until the switch. */
  readonly target: CheckpointHost;

  /**
   * What dumps and restores.
   * @default CheckpointEngine.CRIU
   */
  readonly engine?: CheckpointEngine;

  /**
   * How it is called.
   * @default - the name of the engine
   */
  readonly engineCommand?: string;

  /**
   * By which images go from one host to the other. They are all that the application has in its memory. The roles of instances get the
   * right to write and to read them.
   * @default - both hosts share the folder
   */
  readonly bucket?: IBucket;

  /**
   * Where images are on both hosts, of root alone. In memory a dump takes the least time. Without a bucket: a folder that both share.
   * @default - with a bucket, one of its own below /dev/shm
   */
  readonly folder?: string;
}

const PATH = /^\/[A-Za-z0-9_.\/-]{1,200}$/;
const COMMAND = /^[^{}\n\r]{1,1000}$/;
const PREFIX = 'drainshift-checkpoints';

/**
 * What moves the memory of an application from one host to another: a document of Systems Manager, which the steps of a switch run on
 * them, and the rights of the hosts. CRIU takes root, and is not part of a host's image: install it.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/run-command.html
 * @example
 * const hosts = new CheckpointHosts(this, 'Hosts', {
 *   source: { instance: oldServer, pidFile: '/run/app.pid', start: 'systemctl restart app' },
 *   target: { instance: newServer, pidFile: '/run/app.pid', start: 'systemctl restart app' },
 *   bucket: images,
 * });
 * const plan = CutoverPlan.drainThenShift({
 *   pointOfNoReturn: PointOfNoReturn.SHARED,
 *   maxPause: Duration.seconds(20),
 *   state: StateTransfer.checkpoint({
 *     hosts,
 *     timeouts: { freeze: Duration.seconds(8), transfer: Duration.seconds(8), thaw: Duration.seconds(3) },
 *   }),
 * });
 */
export class CheckpointHosts extends Construct {
  /** Of the document that the hosts run. */
  public readonly documentName: string;
  public readonly documentArn: string;
  /** Of the host of the source. */
  public readonly sourceInstanceId: string;
  /** Of the host of the target. */
  public readonly targetInstanceId: string;

  /** @throws Error for a side that is no instance, as a service of Fargate is none */
  constructor(scope: Construct, id: string, props: CheckpointHostsProps) {
    super(scope, id);
    checkNames('CheckpointHostsProps', props);
    checkHosts(props);
    const { engine = CheckpointEngine.CRIU, bucket } = props;
    const name = Names.uniqueResourceName(this, { maxLength: 60, separator: '-' });
    const { folder = `/dev/shm/drainshift-${name}` } = props;
    const prefix = `${PREFIX}/${name}`;
    const document = new CfnDocument(this, 'Document', {
      documentType: 'Command',
      documentFormat: 'JSON',
      targetType: '/AWS::EC2::Instance',
      updateMethod: 'NewVersion',
      content: renderCheckpointDocument(
        {
          ...{ engine, engineCommand: props.engineCommand ?? engine, folder },
          ...(bucket && { images: `s3://${bucket.bucketName}/${prefix}` }),
          source: { pidFile: props.source.pidFile, start: props.source.start },
          target: { pidFile: props.target.pidFile, start: props.target.start },
        },
        readFileSync(join(hostAsset(), 'checkpoint.sh'), 'utf8'),
      ),
    });
    this.documentName = document.ref;
    this.documentArn = this.formatArn('ssm', 'document', document.ref);
    this.sourceInstanceId = findInstanceId(props.source);
    this.targetInstanceId = findInstanceId(props.target);
    for (const { instance } of [props.source, props.target]) {
      if (instance instanceof Instance) grant(instance.role, prefix, bucket);
    }
  }

  /**
   * The instances, as rights name them.
   *
   * @internal
   */
  public get _instanceArns(): string[] {
    return [this.sourceInstanceId, this.targetInstanceId].map((instanceId) =>
      !Token.isUnresolved(instanceId) && instanceId.startsWith('mi-')
        ? this.formatArn('ssm', 'managed-instance', instanceId)
        : this.formatArn('ec2', 'instance', instanceId),
    );
  }

  private formatArn(service: string, resource: string, resourceName: string): string {
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat: ArnFormat.SLASH_RESOURCE_NAME });
  }
}

function grant(role: IRole, prefix: string, bucket: IBucket | undefined): void {
  role.addManagedPolicy(ManagedPolicy.fromAwsManagedPolicyName('AmazonSSMManagedInstanceCore'));
  bucket?.grantReadWrite(role, `${prefix}/*`);
}

function findInstanceId({ instance, instanceId }: CheckpointHost): string {
  return instance instanceof Instance ? instance.instanceId : instanceId!;
}

function checkHosts(props: CheckpointHostsProps): void {
  for (const side of ['source', 'target'] as const) {
    const { instance, instanceId, pidFile, start } = props[side];
    const name = `${side}.instance`;
    if (isOfFargate(instance)) {
      const rule =
        "an ec2.Instance: to dump a process takes root or CAP_CHECKPOINT_RESTORE, which Fargate's tasks cannot have";
      reject(name, rule, instance!.node.path);
    }
    if (instance && !(instance instanceof Instance)) reject(name, 'an ec2.Instance', instance.node.path);
    if ((instance === undefined) === (instanceId === undefined)) {
      reject(name, 'given, or else instanceId, and not both', instance === undefined ? undefined : 'both');
    }
    if (!PATH.test(pidFile)) reject(`${side}.pidFile`, 'an absolute path of letters, digits and _ . / -', pidFile);
    // Braces are parameters of the document.
    if (!COMMAND.test(start)) reject(`${side}.start`, 'a command in one line without braces', start);
  }
  checkPlaces(props);
}

function checkPlaces({ folder, bucket, engineCommand }: CheckpointHostsProps): void {
  if (bucket === undefined && (folder === undefined || /^\/(dev\/shm|run|tmp)\b/.test(folder))) {
    reject('folder', 'given without a bucket, as one that both hosts share', folder);
  }
  if (folder !== undefined && !PATH.test(folder)) {
    reject('folder', 'an absolute path of letters, digits and _ . / -', folder);
  }
  if (engineCommand !== undefined && !COMMAND.test(engineCommand)) {
    reject('engineCommand', 'a command in one line without braces', engineCommand);
  }
}

/** Also a service for both, which Fargate may run. */
function isOfFargate(construct: IConstruct | undefined): boolean {
  if (construct instanceof TaskDefinition) return construct.isFargateCompatible;
  return construct instanceof BaseService && construct.taskDefinition.isFargateCompatible;
}
