import { Duration, Names, RemovalPolicy, Size, SizeRoundingBehavior, Token } from 'aws-cdk-lib';
import { Metric, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import {
  Connections,
  IConnectable,
  ISecurityGroup,
  IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetSelection,
} from 'aws-cdk-lib/aws-ec2';
import { CfnServerlessCache, CfnUser, CfnUserGroup } from 'aws-cdk-lib/aws-elasticache';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledged-rules';
import { checkDomainName, checkDuration, refuse } from './refusals';

/** How a client of a session store proves who it is. */
export enum SessionStoreAuthentication {
  /** By a generated password, which every client library takes. */
  PASSWORD = 'password',

  /** By a token that the client signs with its role; there is no password, and a connection ends after 12 hours. */
  IAM = 'iam',
}

/** Where the sessions of both sides live, made here or elsewhere. */
export interface ISessionStore extends IConnectable {
  /** `host:port`. */
  readonly endpoint: string;

  /** `rediss://host:port`: always with TLS, and without the user and the password. */
  readonly url: string;

  /** Who to log in as; none logs in as the default user. */
  readonly userName?: string;

  /** JSON with the fields `username` and `password`; none where clients sign, or need no password. */
  readonly secret?: ISecret;

  /** Lets somebody log in; that it reaches the store is a matter of `connections`. */
  grantConnect(grantee: IGrantable): Grant;
}

export interface SessionStoreProps {
  /** The network of the store. */
  readonly vpc: IVpc;

  /**
   * In which subnets its addresses are: in two availability zones at least.
   * @default - the private ones
   */
  readonly vpcSubnets?: SubnetSelection;

  /**
   * How clients prove who they are.
   * @default SessionStoreAuthentication.PASSWORD
   */
  readonly authentication?: SessionStoreAuthentication;

  /**
   * Who clients log in as. With IAM it is an id too, which no other user of the account may have.
   * @default - `sessions`, with IAM the name of the store
   */
  readonly userName?: string;

  /**
   * What the user may do, as the engine writes it.
   * @default - everything but the commands that are dangerous
   * @see https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
   */
  readonly accessString?: string;

  /**
   * The most that it stores, in whole GiB from 1 to 5,000. What comes beyond drives out the oldest sessions.
   * @default - no limit but that of AWS
   */
  readonly maximumStorage?: Size;

  /**
   * The most processing units (ECPU) in a second, from 1,000 to 15,000,000. What comes beyond is throttled.
   * @default - no limit but that of AWS
   */
  readonly maximumProcessingUnits?: number;

  /**
   * How long each daily snapshot is kept, in whole days from 0, which takes none, to 35.
   * @default Duration.days(1)
   */
  readonly snapshotRetention?: Duration;

  /**
   * The key that encrypts what is stored.
   * @default - the key of AWS
   */
  readonly encryptionKey?: IKey;

  /**
   * Its name, and that of its user and group: from 1 to 40 small letters, digits and hyphens.
   * @default - made of the construct's path
   */
  readonly name?: string;

  /**
   * What becomes of it when it leaves the stack. A kept one keeps its name too, and needs its network.
   * @default RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** A session store that this app does not make. */
export interface SessionStoreAttributes {
  /** Its host name or address; it must speak TLS. */
  readonly host: string;

  /**
   * Its port.
   * @default 6379
   */
  readonly port?: number;

  /**
   * Who to log in as.
   * @default - the default user
   */
  readonly userName?: string;

  /**
   * JSON with the fields `username` and `password`.
   * @default - no password
   */
  readonly secret?: ISecret;

  /**
   * Its security groups, which are opened to who is allowed.
   * @default - none: who is allowed may only go out to it
   */
  readonly securityGroups?: ISecurityGroup[];
}

const PORT = 6379;
/** The reader endpoint of a serverless cache has the same name and this port. */
const READER_PORT = 6380;
/** `INFO` counts as dangerous, and is the first that common clients ask for. */
const ACCESS = 'on ~* +@all -@dangerous +info';
const MOST_STORAGE_GIB = 5000;
const PROCESSING_UNITS = { min: 1000, max: 15_000_000 };
const LONGEST_NAME = 40;

/**
 * A serverless Valkey in which both sides keep their sessions, so that no client is logged out when it changes sides.
 * It encrypts in transit and at rest, and is closed to everybody until somebody is allowed by `connections`.
 *
 * @see https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/WhatIs.html
 * @example
 * const sessions = new SessionStore(this, 'Sessions', { vpc });
 * sessions.connections.allowDefaultPortFrom(sourceProxies, 'Sessions');
 * sessions.grantConnect(operators);
 */
export class SessionStore extends Construct implements ISessionStore {
  /** A store that exists already; what is allowed to it by `connections` is let out, and in by its security groups. */
  public static fromEndpoint(scope: Construct, id: string, attributes: SessionStoreAttributes): ISessionStore {
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
    checkProps(props);
    const name = props.name ?? nameOf(this);
    const isIam = props.authentication === SessionStoreAuthentication.IAM;
    const userName = props.userName ?? (isIam ? name : 'sessions');
    const securityGroup = this.createSecurityGroup(props.vpc);
    const secret = isIam ? undefined : this.createSecret(userName);
    acknowledge(this, 'generatedSecret');
    this.user = this.createUser(props, isIam ? userName : name, userName, secret);
    const group = this.createGroup(name);
    this.cache = this.createCache(props, name, group, securityGroup);
    this.endpoint = `${this.cache.attrEndpointAddress}:${this.cache.attrEndpointPort}`;
    this.url = `rediss://${this.endpoint}`;
    this.userName = userName;
    this.secret = secret;
    const defaultPort = Port.tcpRange(PORT, READER_PORT);
    this.connections = new Connections({ securityGroups: [securityGroup], defaultPort });

    // A kept store that lost its user, its password or its addresses would be of no use, and hold up the deletion.
    const kept = props.removalPolicy ?? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;
    for (const resource of [this.cache, group, this.user]) resource.applyRemovalPolicy(kept);
    securityGroup.applyRemovalPolicy(kept);
    secret?.applyRemovalPolicy(kept);
  }

  /** Lets somebody log in: read the password, or sign for the user. */
  public grantConnect(grantee: IGrantable): Grant {
    if (this.secret) return this.secret.grantRead(grantee);
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

  private createSecret(userName: string): Secret {
    return new Secret(this, 'Secret', {
      description: 'The user of a session store, and its password',
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
      subnetIds: subnetsOf(props),
      securityGroupIds: [securityGroup.securityGroupId],
      userGroupId: group.ref,
      kmsKeyId: props.encryptionKey?.keyArn,
      snapshotRetentionLimit: (props.snapshotRetention ?? Duration.days(1)).toDays(),
      cacheUsageLimits: limitsOf(props),
    });
  }
}

class ImportedSessionStore extends Construct implements ISessionStore {
  public readonly endpoint: string;
  public readonly url: string;
  public readonly userName?: string;
  public readonly secret?: ISecret;
  public readonly connections: Connections;

  constructor(scope: Construct, id: string, props: SessionStoreAttributes) {
    super(scope, id);
    const port = props.port ?? PORT;
    checkDomainName('host', props.host);
    checkInteger('port', port, { min: 1, max: 65_535 });
    this.endpoint = `${props.host}:${Token.isUnresolved(port) ? Token.asString(port) : port}`;
    this.url = `rediss://${this.endpoint}`;
    this.userName = props.userName;
    this.secret = props.secret;
    const securityGroups = props.securityGroups ?? [];
    // Without a group to name in an egress rule, only an address can be.
    const peer = securityGroups.length === 0 ? Peer.anyIpv4() : undefined;
    this.connections = new Connections({ securityGroups, peer, defaultPort: Port.tcp(port) });
  }

  public grantConnect(grantee: IGrantable): Grant {
    return this.secret?.grantRead(grantee) ?? Grant.drop(grantee, 'This session store has no password');
  }
}

function subnetsOf({ vpc, vpcSubnets }: SessionStoreProps): string[] {
  const { subnetIds, availabilityZones } = vpc.selectSubnets({ onePerAz: true, ...vpcSubnets });
  const isKnown = !Token.isUnresolved(subnetIds) && !Token.isUnresolved(availabilityZones);
  if (isKnown && new Set(availabilityZones).size < 2) {
    refuse('vpcSubnets', 'in 2 availability zones at least', availabilityZones.join(', '));
  }
  return subnetIds;
}

function limitsOf(props: SessionStoreProps): CfnServerlessCache.CacheUsageLimitsProperty | undefined {
  const { maximumStorage, maximumProcessingUnits } = props;
  if (maximumStorage === undefined && maximumProcessingUnits === undefined) return undefined;
  return {
    dataStorage: maximumStorage && { unit: 'GB', maximum: maximumStorage.toGibibytes() },
    ecpuPerSecond: maximumProcessingUnits === undefined ? undefined : { maximum: maximumProcessingUnits },
  };
}

/** Small letters, because that is how the names are stored. */
function nameOf(scope: Construct): string {
  const unique = Names.uniqueResourceName(scope, { maxLength: LONGEST_NAME, separator: '-' });
  return unique
    .toLowerCase()
    .replace(/-+/g, '-')
    .replace(/^[^a-z]+/, '');
}

function checkProps(props: SessionStoreProps): void {
  if (props.name !== undefined) checkName('name', props.name);
  if (props.userName !== undefined) {
    if (props.authentication === SessionStoreAuthentication.IAM) checkName('userName', props.userName);
    else checkUserName(props.userName);
  }
  if (props.maximumStorage !== undefined) checkStorage(props.maximumStorage);
  if (props.maximumProcessingUnits !== undefined) {
    checkInteger('maximumProcessingUnits', props.maximumProcessingUnits, PROCESSING_UNITS);
  }
  if (props.snapshotRetention) {
    checkDuration('snapshotRetention', props.snapshotRetention, { min: Duration.days(0), max: Duration.days(35) });
    checkWholeDays('snapshotRetention', props.snapshotRetention);
  }
}

function checkName(name: string, value: string): void {
  if (Token.isUnresolved(value)) return;
  if (value.length > LONGEST_NAME || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(value)) {
    refuse(name, `a letter, then letters, digits and single hyphens, all small and ${LONGEST_NAME} at most`, value);
  }
}

function checkUserName(value: string): void {
  if (!Token.isUnresolved(value) && !/^[A-Za-z0-9._-]{1,120}$/.test(value)) {
    refuse('userName', 'from 1 to 120 letters, digits, dots, hyphens and underscores', value);
  }
}

function checkStorage(storage: Size): void {
  if (storage.isUnresolved()) return;
  const gibibytes = storage.toGibibytes({ rounding: SizeRoundingBehavior.NONE });
  if (!Number.isInteger(gibibytes) || gibibytes < 1 || gibibytes > MOST_STORAGE_GIB) {
    refuse('maximumStorage', `whole GiB from 1 to ${MOST_STORAGE_GIB}`, `${gibibytes} GiB`);
  }
}

function checkWholeDays(name: string, duration: Duration): void {
  if (duration.isUnresolved()) return;
  if (!Number.isInteger(duration.toDays({ integral: false }))) refuse(name, 'whole days', duration.toHumanString());
}

function checkInteger(name: string, value: number, bounds: { min: number; max: number }): void {
  if (Token.isUnresolved(value)) return;
  if (!Number.isInteger(value) || value < bounds.min || value > bounds.max) {
    refuse(name, `an integer from ${bounds.min} to ${bounds.max}`, value);
  }
}
