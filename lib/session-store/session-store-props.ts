import { Duration, IResource, RemovalPolicy, Size, SizeRoundingBehavior } from 'aws-cdk-lib';
import { IConnectable, ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { checkDuration, checkInteger, reject, isLater } from '../validation/validation';

/** How a client of a session store proves who it is. */
export enum SessionStoreAuthentication {
  /** By a generated password, which every client library supports. */
  PASSWORD = 'password',

  /** By a token that the client signs with its role; there is no password, and a connection ends after 12 hours. */
  IAM = 'iam',
}

/** Where the sessions of both sides live, made here or elsewhere. */
export interface ISessionStore extends IResource, IConnectable {
  /** `host:port`. */
  readonly endpoint: string;

  /** `rediss://host:port`: always with TLS, and without the user and the password. */
  readonly url: string;

  /** Who to log in as; none logs in as the default user. */
  readonly userName?: string;

  /** JSON with the fields `username` and `password`; none where clients sign, or need no password. */
  readonly secret?: ISecret;

  /** Grants the right to log in. To let it connect to the store, use `connections`. */
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
   * What the user may do, as the engine writes it. Publish and subscribe need channels beside keys, such as `&*`.
   * @default - everything but the commands that are dangerous, on all keys and channels
   * @see https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/Clusters.RBAC.html
   */
  readonly accessString?: string;

  /**
   * The most that it stores, in whole GiB from 1 to 5,000. What exceeds it evicts the oldest sessions.
   * @default - no limit but that of AWS
   */
  readonly maximumStorage?: Size;

  /**
   * The most processing units (ECPU) in a second, from 1,000 to 15,000,000. What exceeds it is throttled.
   * @default - no limit but that of AWS
   */
  readonly maximumProcessingUnits?: number;

  /**
   * How long each daily snapshot is kept, in whole days from 0, which makes none, to 35.
   * @default Duration.days(1)
   */
  readonly snapshotRetention?: Duration;

  /**
   * The key of KMS that encrypts what is stored, and the secret with the password.
   * @default - the keys of AWS
   */
  readonly encryptionKey?: IKey;

  /**
   * Its name, and that of its user and group: from 1 to 40 lowercase letters, digits and hyphens.
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

export const SESSION_STORE_PORT = 6379;

const MAX_STORAGE_GIB = 5000;

const PROCESSING_UNITS = { min: 1000, max: 15_000_000 };

export const MAX_NAME = 40;

export function checkProps(props: SessionStoreProps): void {
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
  if (isLater(value)) return;
  if (value.length > MAX_NAME || !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(value)) {
    reject(name, `a letter, then letters, digits and single hyphens, all small and ${MAX_NAME} at most`, value);
  }
}

function checkUserName(value: string): void {
  if (!isLater(value) && !/^[A-Za-z0-9._-]{1,120}$/.test(value)) {
    reject('userName', 'from 1 to 120 letters, digits, dots, hyphens and underscores', value);
  }
}

function checkStorage(storage: Size): void {
  if (storage.isUnresolved()) return;
  const gibibytes = storage.toGibibytes({ rounding: SizeRoundingBehavior.NONE });
  if (!Number.isInteger(gibibytes) || gibibytes < 1 || gibibytes > MAX_STORAGE_GIB) {
    reject('maximumStorage', `whole GiB from 1 to ${MAX_STORAGE_GIB}`, `${gibibytes} GiB`);
  }
}

function checkWholeDays(name: string, duration: Duration): void {
  if (duration.isUnresolved()) return;
  if (!Number.isInteger(duration.toDays({ integral: false }))) reject(name, 'whole days', duration.toHumanString());
}
