import { Tokenization } from 'aws-cdk-lib';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { replayCheckpointKey, replayParkedPrefix, replayStatusKey } from '../../core/replay/replay-status';
import { REPLAY_SCRIPT } from '../shared/assets';
import { isLater } from '../validation/validation';
import { HEADER_VARIABLE, ReplayServiceProps, findSize } from './replay-service-props';

/** Of its memory; the rest is for what Node keeps beside it, such as bodies that are read. */
const HEAP_SHARE = 0.75;

/** What the task runs: `drainshift replay` with all that it needs to go on where an earlier task ended. */
export function renderCommand(props: ReplayServiceProps, bucket: IBucket, serviceName: string): string[] {
  const { capture, toUrl, store, replayName } = props;
  const { memoryLimitMiB } = findSize(props);
  return [
    'node',
    // Node sees the memory of the machine where the limit is that of the task.
    ...(isLater(memoryLimitMiB) ? [] : [`--max-old-space-size=${Math.floor(memoryLimitMiB * HEAP_SHARE)}`]),
    ...[REPLAY_SCRIPT, 'replay', '--from', capture._url, '--to', toUrl, '--follow'],
    ...['--checkpoint', `s3://${bucket.bucketName}/${replayCheckpointKey(replayName)}`],
    ...['--parked', `s3://${bucket.bucketName}/${replayParkedPrefix(replayName)}`],
    ...['--status', `s3://${store.bucketName}/${replayStatusKey(replayName)}`],
    ...['--metrics', serviceName],
    ...renderOrder(props),
    ...renderChanges(props),
  ];
}

function renderOrder({ servedBy, key, speed, rate, methods = [], window, fromTime, skipDamaged }: ReplayServiceProps) {
  return [
    ...['--speed', speed === undefined ? 'max' : Tokenization.stringifyNumber(speed)],
    ...(rate === undefined ? [] : ['--rate', Tokenization.stringifyNumber(rate)]),
    ...(servedBy === undefined ? [] : ['--served-by', servedBy]),
    ...(key === undefined ? [] : ['--key', key]),
    ...(methods.length === 0 ? [] : ['--methods', methods.join(',')]),
    ...(window ? ['--window', `${Tokenization.stringifyNumber(window.toSeconds())}s`] : []),
    ...(fromTime === undefined ? [] : ['--from-time', fromTime]),
    ...(skipDamaged ? ['--skip-damaged'] : []),
  ];
}

function renderChanges(props: ReplayServiceProps): string[] {
  const { host, paths = {}, setHeaders = {}, secretHeaders = {}, removeHeaders = [], signFor, transforms = [] } = props;
  return [
    ...(host === undefined ? [] : ['--host', host]),
    ...Object.entries(paths).flatMap(([from, to]) => ['--path', `${from}=${to}`]),
    ...Object.entries(setHeaders).flatMap(([name, value]) => ['--set-header', `${name}: ${value}`]),
    ...Object.keys(secretHeaders).flatMap((name, at) => ['--set-header-from', `${name}=${HEADER_VARIABLE}${at + 1}`]),
    ...removeHeaders.flatMap((name) => ['--remove-header', name]),
    ...(signFor === undefined ? [] : ['--sigv4', signFor]),
    ...transforms.flatMap((path) => ['--transform', path]),
  ];
}
