import { Duration, Fn, Size, Tokenization } from 'aws-cdk-lib';
import { IConnectable } from 'aws-cdk-lib/aws-ec2';
import { IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { STORE_URL_RULE, parseStoreUrl } from '../../core/capture/store-url';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import type { SettingTexts } from '../../core/proxy/settings/setting-names';
import { ICaptureStream } from './capture-stream-base';
import { letDecrypt, letEncrypt } from '../shared/encryption';
import { checkNames } from '../validation/known-props';
import { checkDuration, isLater, reject } from '../validation/validation';

/** What becomes of a request that changes something while its record cannot be written. */
export enum CaptureFailure {
  /** Its client gets 503 with `Retry-After`, and the backend does not see it. */
  REJECT = 'refuse',
  /** It is forwarded, and counted as unrecorded. */
  FORWARD = 'forward',
}

/** What proxies record. */
export interface TrafficCaptureOptions {
  /**
   * What becomes of a request that changes something while its record cannot be written.
   * @default CaptureFailure.REJECT
   */
  readonly onFailure?: CaptureFailure;

  /**
   * How long such a request waits for its record: whole seconds, from 1 to 60.
   * @default Duration.seconds(5)
   */
  readonly timeout?: Duration;

  /**
   * The methods that are recorded.
   * @default - all
   */
  readonly methods?: string[];

  /**
   * What is recorded: a path, where `*` stands for anything, the name of a header field, or `NAME=VALUE`.
   * @default - all
   */
  readonly paths?: string[];

  /**
   * What is not recorded, in the same form.
   * @default - none
   */
  readonly never?: string[];

  /**
   * Whether the messages of a WebSocket are recorded, too, where its handshake is.
   * @default false
   */
  readonly webSockets?: boolean;

  /**
   * The share of the connections whose requests are recorded, in percent.
   * @default 100
   */
  readonly sharePercent?: number;

  /**
   * What a record holds a hash of: names of header fields, and JSON pointers into bodies. It replaces the default.
   * @default - authorization, cookie, proxy-authorization, set-cookie
   */
  readonly redact?: string[];

  /**
   * The key of these hashes; its whole string, of at least 16 characters. Proxies with the same one write the same hash for the same value.
   * @default - each proxy draws one when it starts
   */
  readonly redactionKey?: ISecret;

  /**
   * What is recorded of a body at most. A request that changes something and is longer is forwarded, and counted as unrecorded.
   * @default Size.mebibytes(1)
   */
  readonly maxBodySize?: Size;
}

/** Where a capture in a bucket is. */
export interface BucketCaptureOptions extends TrafficCaptureOptions {
  /**
   * What the names of its objects begin with.
   * @default captured
   */
  readonly prefix?: string;
}

/**
 * Records requests and responses at the proxies of a side, so that the target can be tried with real traffic. A request that changes
 * something is forwarded when its record is durable.
 *
 * @example
 * const source: ProxyOptions = {
 *   upstreamUrl: 'http://old.internal:8080',
 *   capture: TrafficCapture.toBucket(bucket, { redact: ['authorization', 'cookie', 'set-cookie', '/card/number'] }),
 * };
 */
export class TrafficCapture {
  /**
   * In objects of a bucket, which the proxies get the right to write.
   *
   * @throws Error that names the option, its rule and its value
   */
  public static toBucket(bucket: IBucket, options: BucketCaptureOptions = {}): TrafficCapture {
    checkNames('BucketCaptureOptions', options);
    checkOptions(options);
    const { prefix = 'captured' } = options;
    if (!isLater(prefix) && parseStoreUrl(`s3://bucket/${prefix}`) === undefined)
      reject('prefix', STORE_URL_RULE, prefix);
    const letWrite = (proxies: IGrantable) => {
      const objects = bucket.arnForObjects(`${prefix.replace(/\/$/, '')}/*`);
      proxies.grantPrincipal.addToPrincipalPolicy(
        new PolicyStatement({ actions: ['s3:PutObject'], resources: [objects] }),
      );
      letEncrypt(proxies, bucket.encryptionKey);
    };
    const letRead = (reader: IGrantable) => letReadBelow(bucket, `${prefix.replace(/\/$/, '')}/*`, reader);
    const place = { url: `s3://${bucket.bucketName}/${prefix}`, region: bucket.env.region, letWrite, letRead };
    return new TrafficCapture(place, options);
  }

  /**
   * In a topic of Amazon MSK, which the proxies get the right to write to, and a way to its brokers.
   *
   * @throws Error that names the option, its rule and its value
   */
  public static toStream(stream: ICaptureStream, options: TrafficCaptureOptions = {}): TrafficCapture {
    checkNames('TrafficCaptureOptions', options);
    checkOptions(options);
    const region = Fn.select(3, Fn.split(':', stream.clusterArn));
    const letWrite = (proxies: IGrantable) => void stream.grantWrite(proxies);
    const letRead = (reader: IGrantable) => void stream.grantRead(reader);
    return new TrafficCapture({ url: stream.url, region, letWrite, letRead, brokers: stream }, options);
  }

  private constructor(
    private readonly place: CapturePlace,
    private readonly options: TrafficCaptureOptions,
  ) {}

  /** @internal */
  public get _redactionKey(): ISecret | undefined {
    return this.options.redactionKey;
  }

  /** @internal */
  public get _region(): string {
    return this.place.region;
  }

  /** @internal */
  public _render(): SettingTexts {
    const { onFailure, timeout, methods, paths, never, webSockets, sharePercent, redact, maxBodySize } = this.options;
    const list = (texts: string[] | undefined) => texts?.join(',');
    return {
      capture: this.place.url,
      capture_on_failure: onFailure,
      capture_timeout_seconds: timeout && Tokenization.stringifyNumber(timeout.toSeconds()),
      capture_methods: list(methods),
      capture_paths: list(paths),
      capture_never: list(never),
      capture_websockets: webSockets === undefined ? undefined : webSockets ? 'on' : 'off',
      capture_share: sharePercent === undefined ? undefined : Tokenization.stringifyNumber(sharePercent),
      capture_redact: redact?.length === 0 ? 'none' : list(redact),
      capture_body_bytes: maxBodySize && Tokenization.stringifyNumber(maxBodySize.toBytes()),
    };
  }

  /**
   * What they connect to; undefined of what is reached without a rule.
   * @internal
   */
  public get _brokers(): IConnectable | undefined {
    return this.place.brokers;
  }

  /**
   * What `drainshift replay --from` takes.
   * @internal
   */
  public get _url(): string {
    return this.place.url;
  }

  /**
   * It may read it, and add nothing.
   * @internal
   */
  public _letRead(reader: IGrantable): void {
    this.place.letRead(reader);
  }

  /**
   * They may add to it, and read nothing.
   * @internal
   */
  public _letWrite(proxies: IGrantable): void {
    this.place.letWrite(proxies);
  }
}

/** Where it goes. */
interface CapturePlace {
  readonly url: string;
  readonly region: string;
  readonly letWrite: (proxies: IGrantable) => void;
  readonly letRead: (reader: IGrantable) => void;
  readonly brokers?: IConnectable;
}

function letReadBelow(bucket: IBucket, objects: string, reader: IGrantable): void {
  const statements = [
    { actions: ['s3:GetObject'], resources: [bucket.arnForObjects(objects)] },
    {
      actions: ['s3:ListBucket'],
      resources: [bucket.bucketArn],
      conditions: { StringLike: { 's3:prefix': [objects] } },
    },
  ];
  for (const statement of statements) reader.grantPrincipal.addToPrincipalPolicy(new PolicyStatement(statement));
  letDecrypt(reader, bucket.encryptionKey);
}

const LISTS = {
  methods: 'capture_methods',
  paths: 'capture_paths',
  never: 'capture_never',
  redact: 'capture_redact',
} as const;
const TIMEOUT_BOUNDS = { min: Duration.seconds(1), max: Duration.minutes(1) };

function checkOptions(options: TrafficCaptureOptions): void {
  for (const [name, setting] of Object.entries(LISTS) as [keyof typeof LISTS, (typeof LISTS)[keyof typeof LISTS]][]) {
    const { pattern, rule } = PROXY_SETTINGS[setting];
    options[name]?.forEach((text, index) => {
      if (!isLater(text) && (text.includes(',') || !new RegExp(pattern, 'i').test(text)))
        reject(`${name}[${index}]`, rule, text);
    });
  }
  const { timeout, sharePercent, maxBodySize } = options;
  if (timeout) checkDuration('timeout', timeout, TIMEOUT_BOUNDS);
  if (sharePercent !== undefined && !isLater(sharePercent) && !(sharePercent >= 0 && sharePercent <= 100))
    reject('sharePercent', 'a number from 0 to 100', sharePercent);
  const { max } = PROXY_SETTINGS.capture_body_bytes;
  if (maxBodySize && !maxBodySize.isUnresolved() && maxBodySize.toBytes() > max)
    reject('maxBodySize', 'at most 1 GiB', maxBodySize.toBytes());
}
