import { randomUUID } from 'node:crypto';
import { AwsError } from '../../../errors/aws-error';
import { isArnFor } from '../../operations/arn';
import { Operation, Place, AwsObject } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';
import { RpcService } from '../../protocols/rpc';
import { QueryService } from '../../protocols/query';
import { Outbox } from './outbox';

const MAX_SUBJECT = 100;
const MAX_BYTES = 262_144;
const MAX_ENTRIES = 10;

/** Amazon SNS: takes what is published, and delivers it nowhere. */
export function topicsService(outbox: Outbox): QueryService {
  const publish = (input: Parameters): AwsObject => {
    const topicArn = input.text('TopicArn');
    const text = input.text('Message');
    const subject = input.optionalText('Subject');
    if (!/^arn:[^:]+:sns:[^:]*:\d{12}:[\w-]+(\.fifo)?$/.test(topicArn)) {
      throw new AwsError('InvalidParameter', `Invalid parameter: TopicArn Reason: got ${topicArn.slice(0, 200)}`);
    }
    // ASCII without control characters: a line break in a subject is rejected.
    if (subject !== undefined && (subject.length > MAX_SUBJECT || !/^[\x21-\x7e][\x20-\x7e]*$/.test(subject))) {
      throw new AwsError('InvalidParameter', 'Invalid parameter: Subject');
    }
    if (Buffer.byteLength(text) > MAX_BYTES)
      throw new AwsError('InvalidParameter', 'Invalid parameter: Message too long');
    outbox.send({ at: new Date(), topicArn, subject, text });
    return { MessageId: randomUUID() };
  };
  return {
    prefix: 'sns',
    version: '2010-03-31',
    namespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
    invalidCode: 'InvalidParameter',
    operations: new Map<string, Operation>([
      ['Publish', { resources: (input) => [input.text('TopicArn')], run: publish }],
    ]),
  };
}

/** Amazon EventBridge: takes events, and matches no rule with them. */
export function eventsService(outbox: Outbox, place: Place): RpcService {
  const findBus = (entry: Parameters) => {
    const name = entry.optionalText('EventBusName') ?? 'default';
    return name.startsWith('arn:') ? name : `arn:aws:events:${place.region}:${place.account}:event-bus/${name}`;
  };
  const put = (entry: Parameters): AwsObject => {
    const missing = REQUIRED.find((name) => (entry.optionalText(name) ?? '') === '');
    if (missing !== undefined) {
      return failed('InvalidArgument', `Parameter ${missing} is not valid. Reason: ${missing} is a required argument.`);
    }
    const [source, detailType] = [entry.text('Source'), entry.text('DetailType')];
    // Such sources are AWS's own.
    if (source.startsWith('aws.')) return failed('NotAuthorizedForSource', 'Not authorized for the source.');
    const detail = parsed(entry.text('Detail'));
    if (detail === undefined) return failed('MalformedDetail', 'Detail is malformed.');
    outbox.send({ at: new Date(), bus: findBus(entry), source, detailType, detail });
    return { EventId: randomUUID() };
  };
  const putEvents = (input: Parameters): AwsObject => {
    const entries = input.objects('Entries');
    if (entries.length === 0 || entries.length > MAX_ENTRIES) {
      throw input.reject('Entries', `a list of 1 to ${MAX_ENTRIES}`, entries.length);
    }
    if (entries.reduce((bytes, entry) => bytes + computeSize(entry), 0) > MAX_BYTES) {
      throw new AwsError('ValidationException', 'Total size of the entries in the request exceeds the limit.');
    }
    const buses = entries.map(findBus);
    const odd = buses.findIndex((bus) => !isArnFor(bus, 'events', /^event-bus\/[/.\-\w]+$/));
    if (odd >= 0) throw input.reject(`Entries[${odd}].EventBusName`, 'the name or the ARN of an event bus', buses[odd]);
    // Each by itself: what is rejected does not hold up the others.
    const results = entries.map(put);
    return { FailedEntryCount: results.filter(({ ErrorCode }) => ErrorCode !== undefined).length, Entries: results };
  };
  return {
    prefix: 'events',
    target: 'AWSEvents',
    version: '1.1',
    invalidCode: 'ValidationException',
    operations: new Map<string, Operation>([
      ['PutEvents', { resources: (input) => [...new Set(input.objects('Entries').map(findBus))], run: putEvents }],
    ]),
  };
}

const REQUIRED = ['Source', 'DetailType', 'Detail'] as const;

function failed(ErrorCode: string, ErrorMessage: string): AwsObject {
  return { ErrorCode, ErrorMessage };
}

/** @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html */
function computeSize(entry: Parameters): number {
  const texts = [...REQUIRED.map((name) => entry.optionalText(name) ?? ''), ...entry.texts('Resources')];
  return texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), entry.has('Time') ? 14 : 0);
}

/** Undefined for what is no JSON object. */
function parsed(text: string): object | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
