import { Duration, Names, RemovalPolicy, Resource } from 'aws-cdk-lib';
import { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, IVpc, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { CfnServerlessCache, CfnUser, CfnUserGroup } from 'aws-cdk-lib/aws-elasticache';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../validation/nag-suppressions';
import { checkNames } from '../validation/known-props';
import { createSecret, letRead } from '../shared/encryption';
import { listSubnetsOfZones } from '../shared/subnets';
import {
  checkProps,
  ISessionStore,
  MAX_NAME,
  SESSION_STORE_PORT,
  SessionStoreAttributes,
  SessionStoreAuthentication,
  SessionStoreProps,
} from './session-store-props';
import { ImportedSessionStore } from './imported-session-store';

/** The reader endpoint of a serverless cache has the same name and this port. */
const READER_PORT = 6380;
/** `INFO` counts as dangerous, and is the first that common clients ask for. */
const ACCESS = 'on ~* &* +@all -@dangerous +info';

/**
 * A serverless Valkey in which both sides keep their sessions, so that no client is logged out when it changes sides.
 * It encrypts in transit and at rest, and is closed by default. Allow its clients by `connections`.
 *
 * @see https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.html
 * @example
 * const sessions = new SessionStore(this, 'Sessions', { vpc });
 * sessions.connections.allowDefaultPortFrom(sourceProxies, 'Sessions');
 * sessions.grantConnect(operators);
 */
export class SessionStore extends Resource implements ISessionStore {
  /**
   * A store that exists already; what is allowed to it by `connections` is let out, and in by its security groups.
   *
   * @example
   * const theirs = SessionStore.fromSessionStoreAttributes(this, 'Theirs', {
   *   host: 'sessions.example.com',
   *   securityGroups: [ec2.SecurityGroup.fromSecurityGroupId(this, 'Group', 'sg-0123456789abcdef0')],
   * });
   */
  public static fromSessionStoreAttributes(
    scope: Construct,
    id: string,
    attributes: SessionStoreAttributes,
  ): ISessionStore {
    // eslint-disable-next-line awscdk/require-passing-this -- the caller's
    return new ImportedSessionStore(scope, id, attributes);
  }

  public readonly cache: CfnServerlessCache;
  public readonly endpoint: string;
  public readonly url: string;
  public readonly userName?: string;
  public readonly secret?: ISecret;
  public readonly connections: Connections;
  private readonly user: CfnUser;

  constructor(scope: Construct, id: string, props: SessionStoreProps) {
    super(scope, id);
    checkNames('SessionStoreProps', props);
    checkProps(props);
    const name = props.name ?? formatName(this);
    const isIam = props.authentication === SessionStoreAuthentication.IAM;
    const userName = props.userName ?? (isIam ? name : 'sessions');
    const securityGroup = this.createSecurityGroup(props.vpc);
    const secret = isIam ? undefined : this.createSecret(userName, props.encryptionKey);
    acknowledge(this, 'generatedSecret');
    this.user = this.createUser(props, isIam ? userName : name, userName, secret);
    const group = this.createGroup(name);
    this.cache = this.createCache(props, name, group, securityGroup);
    this.endpoint = `${this.cache.attrEndpointAddress}:${this.cache.attrEndpointPort}`;
    this.url = `rediss://${this.endpoint}`;
    this.userName = userName;
    this.secret = secret;
    const defaultPort = Port.tcpRange(SESSION_STORE_PORT, READER_PORT);
    this.connections = new Connections({ securityGroups: [securityGroup], defaultPort });

    // A kept store that lost its user, its password or its addresses would be of no use, and hold up the deletion.
    const kept = props.removalPolicy ?? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;
    for (const resource of [this.cache, group, this.user]) resource.applyRemovalPolicy(kept);
    securityGroup.applyRemovalPolicy(kept);
    secret?.applyRemovalPolicy(kept);
  }

  /** Grants the right to log in: to read the password, or sign for the user. */
  public grantConnect(grantee: IGrantable): Grant {
    if (this.secret) return letRead(this.secret, grantee);
    return Grant.addToPrincipal({
      grantee,
      actions: ['elasticache:Connect'],
      resourceArns: [this.cache.attrArn, this.user.attrArn],
    });
  }

  /**
   * A metric of the store, such as `CurrConnections`, `BytesUsedForCache` or `ThrottledCmds`; the average of five minutes
   * unless asked otherwise.
   *
   * @see https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/serverless-metrics-events-redis.html
   */
  public metric(metricName: string, options?: MetricOptions): Metric {
    const dimensionsMap = { clusterId: this.cache.serverlessCacheName };
    return new Metric({ namespace: 'AWS/ElastiCache', metricName, dimensionsMap, ...options }).attachTo(this);
  }

  private createSecurityGroup(vpc: IVpc): SecurityGroup {
    return new SecurityGroup(this, 'SecurityGroup', {
      vpc,
      description: 'The session store of a migration',
      allowAllOutbound: false,
    });
  }

  private createSecret(userName: string, encryptionKey: IKey | undefined): Secret {
    return createSecret(this, 'Secret', {
      description: 'The user of a session store, and its password',
      encryptionKey,
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ username: userName }),
        generateStringKey: 'password',
        passwordLength: 64,
        excludePunctuation: true,
      },
    });
  }

  private createUser(props: SessionStoreProps, userId: string, userName: string, secret: Secret | undefined): CfnUser {
    return new CfnUser(this, 'User', {
      engine: 'valkey',
      userId,
      userName,
      accessString: props.accessString ?? ACCESS,
      passwords: secret && [secret.secretValueFromJson('password').unsafeUnwrap()],
      authenticationMode: secret ? undefined : { Type: 'iam' },
    });
  }

  private createGroup(name: string): CfnUserGroup {
    return new CfnUserGroup(this, 'UserGroup', { engine: 'valkey', userGroupId: name, userIds: [this.user.ref] });
  }

  private createCache(
    props: SessionStoreProps,
    name: string,
    group: CfnUserGroup,
    securityGroup: SecurityGroup,
  ): CfnServerlessCache {
    return new CfnServerlessCache(this, 'Cache', {
      engine: 'valkey',
      majorEngineVersion: '8',
      serverlessCacheName: name,
      description: 'The sessions of a migration',
      subnetIds: listSubnetsOfZones(props.vpc, props.vpcSubnets),
      securityGroupIds: [securityGroup.securityGroupId],
      userGroupId: group.ref,
      kmsKeyId: props.encryptionKey?.keyArn,
      snapshotRetentionLimit: (props.snapshotRetention ?? Duration.days(1)).toDays(),
      cacheUsageLimits: listLimits(props),
    });
  }
}

function listLimits(props: SessionStoreProps): CfnServerlessCache.CacheUsageLimitsProperty | undefined {
  const { maximumStorage, maximumProcessingUnits } = props;
  if (maximumStorage === undefined && maximumProcessingUnits === undefined) return undefined;
  return {
    dataStorage: maximumStorage && { unit: 'GB', maximum: maximumStorage.toGibibytes() },
    ecpuPerSecond: maximumProcessingUnits === undefined ? undefined : { maximum: maximumProcessingUnits },
  };
}

/** Lowercase, because that is how the names are stored. */
function formatName(scope: Construct): string {
  const unique = Names.uniqueResourceName(scope, { maxLength: MAX_NAME, separator: '-' });
  return unique
    .toLowerCase()
    .replace(/-+/g, '-')
    .replace(/^[^a-z]+/, '');
}
