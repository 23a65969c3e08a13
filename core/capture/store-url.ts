import { HostPort, formatHostPort, parseHostPort } from '../validation/host-port';
import { PART_SUFFIX } from './part-name';

/** Where captured traffic is kept. */
export type StoreUrl =
  /** A path as it was written: a folder, or for a reader a file, too. */
  | { readonly kind: 'path'; readonly path: string }
  /** The prefix is empty, or ends with a slash unless it names one object: then it ends with {@link PART_SUFFIX}. */
  | { readonly kind: 's3'; readonly bucket: string; readonly prefix: string }
  | KafkaUrl;

export interface KafkaUrl {
  readonly kind: 'kafka';
  readonly security: KafkaSecurity;
  readonly brokers: readonly HostPort[];
  readonly topic: string;
}

/** By scheme. All but `none` speak TLS; a login is by user and password, or by the credentials for AWS. */
const SCHEMES = {
  kafka: 'none',
  'kafka+tls': 'tls',
  'kafka+plain': 'plain',
  'kafka+scram': 'scram',
  'kafka+iam': 'iam',
} as const;
export type KafkaSecurity = (typeof SCHEMES)[keyof typeof SCHEMES];

export const STORE_URL_RULE =
  'a path, file:PATH, s3://BUCKET[/PREFIX] or kafka[+tls|+plain|+scram|+iam]://HOST:PORT[,HOST:PORT…][/TOPIC], without a user, a query or a fragment';
/** As much of the rule as a pattern can say; in what ECMA-262 and other readers of JSON Schema share. */
export const STORE_URL_PATTERN =
  '^(s3://[^\\s?#@]+|kafka([+](tls|plain|scram|iam))?://[^\\s?#@]+|file:[^\\u0000]+|[^:\\u0000]+)$';

/** The topic of OpenSearch Migrations. */
export const DEFAULT_TOPIC = 'logging-traffic-topic';

/** @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^(?=.{3,63}$)[a-z0-9][a-z0-9.-]*[a-z0-9]$/;
/** Of Kafka's Topic.java: neither `.` nor `..`, at most 249 characters. */
const TOPIC = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/;
/** S3 allows keys of 1,024 bytes; the name of a part follows. */
const MAX_PREFIX_BYTES = 800;

/** Whether it takes a user and a password. */
export function needsLogin(security: KafkaSecurity): boolean {
  return security === 'plain' || security === 'scram';
}

const FORM = new RegExp(STORE_URL_PATTERN);

/** Undefined of anything that is not by {@link STORE_URL_RULE}. */
export function parseStoreUrl(text: unknown): StoreUrl | undefined {
  if (typeof text !== 'string' || !FORM.test(text)) return undefined;
  if (text.startsWith('s3://')) return parseS3(text.slice('s3://'.length));
  if (text.startsWith('kafka')) return parseKafka(text);
  if (!text.startsWith('file:')) return { kind: 'path', path: text };
  const path = text.slice('file:'.length);
  if (!path.startsWith('//')) return { kind: 'path', path };
  // RFC 8089: `file://host/path`, of this machine alone.
  const local = /^\/\/(?:localhost)?(\/[^?#]*)$/.exec(path)?.[1];
  return local === undefined ? undefined : decodePath(local);
}

function decodePath(path: string): StoreUrl | undefined {
  try {
    const decoded = decodeURIComponent(path);
    return decoded.includes('\0') ? undefined : { kind: 'path', path: decoded };
  } catch {
    return undefined;
  }
}

function parseS3(text: string): StoreUrl | undefined {
  const [, bucket = '', key = ''] = /^([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  if (!BUCKET.test(bucket) || Buffer.byteLength(key) > MAX_PREFIX_BYTES) return undefined;
  // Keys are no paths: S3 would take an empty name for a name.
  if (key.startsWith('/') || key.includes('//')) return undefined;
  const isWhole = key === '' || key.endsWith('/') || key.endsWith(PART_SUFFIX);
  return { kind: 's3', bucket, prefix: isWhole ? key : `${key}/` };
}

function parseKafka(text: string): StoreUrl | undefined {
  const [, scheme = '', hosts = '', topic = DEFAULT_TOPIC] = /^([a-z+]+):\/\/([^/]*)(?:\/(.*))?$/s.exec(text) ?? [];
  // A path may begin like that.
  if (!isScheme(scheme)) return { kind: 'path', path: text };
  if (!TOPIC.test(topic)) return undefined;
  const brokers = hosts.split(',').map(parseHostPort);
  if (!brokers.every((broker) => broker !== undefined && broker.port > 0)) return undefined;
  return { kind: 'kafka', security: SCHEMES[scheme], brokers: brokers as readonly HostPort[], topic };
}

function isScheme(name: string): name is keyof typeof SCHEMES {
  return Object.hasOwn(SCHEMES, name);
}

/** Whether two processes mean one store. Paths are those of their machines; brokers of one cluster have one domain. */
export function isSameStore(a: string, b: string): boolean {
  const [one, other] = [parseStoreUrl(a), parseStoreUrl(b)];
  if (one?.kind === 's3' && other?.kind === 's3') return one.bucket === other.bucket && one.prefix === other.prefix;
  if (one?.kind === 'kafka' && other?.kind === 'kafka')
    return one.topic === other.topic && one.brokers.some(({ host }) => isOfCluster(host, other.brokers));
  return a === b || (one?.kind === 'path' && other?.kind === 'path');
}

/** `b-1.shop.a1b2c3.c2.kafka.eu-central-1.amazonaws.com` and `b-2.shop.…` are of one cluster. */
function isOfCluster(host: string, brokers: readonly HostPort[]): boolean {
  const findDomain = (name: string) => (/[a-z]/i.test(name) ? name.split('.').slice(1).join('.') : '');
  const domain = findDomain(host);
  return brokers.some((other) => other.host === host || (domain !== '' && findDomain(other.host) === domain));
}

/** As {@link parseStoreUrl} reads it. */
export function formatStoreUrl(store: StoreUrl): string {
  if (store.kind === 'path')
    return /^(?:s3|kafka(?:\+\w+)?|file):/.test(store.path) ? `file:${store.path}` : store.path;
  if (store.kind === 's3') return `s3://${store.bucket}${store.prefix === '' ? '' : `/${store.prefix}`}`;
  const scheme = store.security === 'none' ? 'kafka' : `kafka+${store.security}`;
  return `${scheme}://${store.brokers.map(formatHostPort).join(',')}/${store.topic}`;
}
