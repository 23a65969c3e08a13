import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { Announcement } from '../../core/cutover/announcement';
import { EVENT_DETAIL_TYPE, EVENT_SOURCE } from '../../core/proxy/events';
import { CutoverConfig } from '../../core/cutover/cutover-config';
import type { NotifierPort } from '../contract/ports';
import { NOTIFY_MS } from '../contract/time-left';
import { limited } from './client/limited';

/** A network without a way to these services must cost a step seconds, and not its time limit. */
const BRIEF_CONFIG = {
  maxAttempts: 2,
  retryMode: 'standard',
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true },
} as const;

/** Notifies operators through an SNS topic and other systems through an EventBridge bus, each if there is one. */
export function notifierPort(config: CutoverConfig): NotifierPort {
  const { notificationTopicArn, eventBusName, storeBucket, weightedRuleArn, stackName } = config;
  const topic = notificationTopicArn === undefined ? undefined : findTopic(notificationTopicArn);
  const bus = eventBusName === undefined ? undefined : findBus(eventBusName);
  return {
    places: { storeBucket, weightedRuleArn, ...(stackName !== undefined && { stackName }) },
    tell: async (announcement) => {
      const notified = await Promise.allSettled([topic?.(announcement), bus?.(announcement)]);
      for (const result of notified) {
        if (result.status === 'rejected') logFailure(announcement, result.reason);
      }
    },
  };
}

type Tell = (announcement: Announcement) => Promise<void>;

function findTopic(TopicArn: string): Tell {
  const client = limited('SNS', new SNSClient(BRIEF_CONFIG), NOTIFY_MS);
  return async ({ subject, text }) => {
    await client.send(new PublishCommand({ TopicArn, Subject: subject, Message: text }));
  };
}

function findBus(EventBusName: string): Tell {
  const client = limited('EventBridge', new EventBridgeClient(BRIEF_CONFIG), NOTIFY_MS);
  return async ({ detail }) => {
    const entry = { EventBusName, Source: EVENT_SOURCE, DetailType: EVENT_DETAIL_TYPE, Detail: JSON.stringify(detail) };
    const { FailedEntryCount = 0, Entries = [] } = await client.send(new PutEventsCommand({ Entries: [entry] }));
    if (FailedEntryCount > 0) {
      throw new Error(`EventBridge must take an event, got ${Entries[0]?.ErrorCode}: ${Entries[0]?.ErrorMessage}`);
    }
  };
}

/** A line of the function's log: the cutover itself goes on. */
function logFailure({ detail: { kind, execution } }: Announcement, reason: unknown): void {
  const line = { level: 'warn', message: 'A notification was not sent', kind, execution, reason: String(reason) };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
