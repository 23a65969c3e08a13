import { Duration, Size, Tokenization } from 'aws-cdk-lib';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import type { SettingTexts } from '../../core/proxy/settings/setting-names';
import { UPSTREAM_URL_RULE, parseUpstreamUrl } from '../../core/validation/upstream-url';
import { checkDuration, isLater, reject } from '../validation/validation';

/** Which requests are copied to a target. */
export enum MirroredMethods {
  /** Those with GET, HEAD and OPTIONS. */
  SAFE = 'safe',
  /** Those that change something, too: to a target whose writes may be thrown away. */
  ALL = 'all',
}

/**
 * A target that gets copies of requests while they are served, and whose responses are compared with those of the backend. No client waits
 * for it.
 *
 * @example
 * const source: ProxyOptions = {
 *   upstreamUrl: 'http://old.internal:8080',
 *   mirror: { url: 'http://new.internal:8080', sharePercent: 5, never: ['/admin/*'] },
 * };
 */
export interface TrafficMirror {
  /** `http(s)://host[:port]`, and not that of these proxies' own backend. Its certificates are trusted as those of the backend are. */
  readonly url: string;

  /**
   * The share of the requests that are copied, in percent.
   * @default 10
   */
  readonly sharePercent?: number;

  /**
   * Which requests are copied.
   * @default MirroredMethods.SAFE
   */
  readonly methods?: MirroredMethods;

  /**
   * What is copied: a path, where `*` stands for anything, the name of a header field, or `NAME=VALUE`.
   * @default - all
   */
  readonly paths?: string[];

  /**
   * What is not copied, in the same form.
   * @default - none
   */
  readonly never?: string[];

  /**
   * The share of the copied safe requests that are sent to the backend once more, in percent: what differs then is noise.
   * @default 20
   */
  readonly repeatSharePercent?: number;

  /**
   * Fields of responses that are not judged, with `*`: `header.etag`, `body.meta.*`, `GET /items/{id} body.price`.
   * @default - none
   */
  readonly ignore?: string[];

  /**
   * How many copies of one process are under way at most: from 1 to 1,000.
   * @default 32
   */
  readonly maxConcurrency?: number;

  /**
   * How long a copy waits for the whole of its response: whole seconds, from 1 to 60.
   * @default Duration.seconds(5)
   */
  readonly timeout?: Duration;

  /**
   * A request with a longer body is not copied; of a longer response only so much is compared. At most 16 MiB.
   * @default Size.kibibytes(64)
   */
  readonly maxBodySize?: Size;
}

const LISTS = { paths: 'mirror_paths', never: 'mirror_never', ignore: 'mirror_ignore' } as const;
const TIMEOUT_BOUNDS = { min: Duration.seconds(1), max: Duration.minutes(1) };

/** @throws Error that names the prop, its rule and its value */
export function renderMirror(mirror: TrafficMirror, upstreamUrl: string): SettingTexts {
  checkMirror(mirror, upstreamUrl);
  const { url, sharePercent, methods, paths, never, repeatSharePercent, ignore, maxConcurrency, timeout } = mirror;
  const { maxBodySize } = mirror;
  const list = (texts: string[] | undefined) => texts?.join(',');
  const number = (value: number | undefined) => (value === undefined ? undefined : Tokenization.stringifyNumber(value));
  return {
    mirror_url: url,
    mirror_share: number(sharePercent),
    mirror_methods: methods,
    mirror_paths: list(paths),
    mirror_never: list(never),
    mirror_repeat_share: number(repeatSharePercent),
    mirror_ignore: list(ignore),
    mirror_concurrency: number(maxConcurrency),
    mirror_timeout_seconds: number(timeout?.toSeconds()),
    mirror_body_bytes: number(maxBodySize?.toBytes()),
  };
}

function checkMirror(mirror: TrafficMirror, upstreamUrl: string): void {
  const { url, timeout, maxBodySize, maxConcurrency, sharePercent, repeatSharePercent } = mirror;
  checkUrl(url, upstreamUrl);
  for (const name of Object.keys(LISTS) as (keyof typeof LISTS)[]) checkList(name, mirror[name]);
  for (const [name, share] of Object.entries({ sharePercent, repeatSharePercent }))
    if (share !== undefined && !isLater(share) && !(share >= 0 && share <= 100))
      reject(`mirror.${name}`, 'a number from 0 to 100', share);
  if (timeout) checkDuration('mirror.timeout', timeout, TIMEOUT_BOUNDS);
  const { min, max } = PROXY_SETTINGS.mirror_concurrency;
  const isCount = (count: number) => Number.isInteger(count) && count >= min && count <= max;
  if (maxConcurrency !== undefined && !isLater(maxConcurrency) && !isCount(maxConcurrency))
    reject('mirror.maxConcurrency', `an integer from ${min} to ${max}`, maxConcurrency);
  if (maxBodySize && !maxBodySize.isUnresolved() && maxBodySize.toBytes() > PROXY_SETTINGS.mirror_body_bytes.max)
    reject('mirror.maxBodySize', 'at most 16 MiB', maxBodySize.toBytes());
}

function checkUrl(url: string, upstreamUrl: string): void {
  if (isLater(url)) return;
  const parsed = parseUpstreamUrl(url) ?? reject('mirror.url', UPSTREAM_URL_RULE, url);
  const upstream = isLater(upstreamUrl) ? undefined : parseUpstreamUrl(upstreamUrl);
  if (upstream?.host === parsed.host && upstream.port === parsed.port)
    reject('mirror.url', "another address than 'upstreamUrl', which has the requests themselves", url);
}

function checkList(name: keyof typeof LISTS, texts: readonly string[] | undefined): void {
  const { pattern, rule } = PROXY_SETTINGS[LISTS[name]];
  texts?.forEach((text, index) => {
    const isOne = !text.includes(',') && new RegExp(pattern, 'i').test(text);
    if (!isLater(text) && !isOne) reject(`mirror.${name}[${index}]`, rule, text);
  });
}
