import { S3Client } from '@aws-sdk/client-s3';
import { DECISION_PREFIX, REGIME_KEY, decisionKey, parseDecision } from '../../../core/switch/decision';
import { FIRST_REGIME, parseRegime } from '../../../core/switch/regime';
import type { SwitchStorePort } from '../../contract/switch-ports';
import { CLIENT_CONFIG } from '../client/client-config';
import { limited } from '../client/limited';
import { Objects } from './objects';

/** Of one call with its retries: requests wait while the decision is written. */
const S3_MS = 3_000;

/**
 * The regime and the decisions of switches in the bucket of the cutover.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
 */
export function switchStorePort(bucket: string): SwitchStorePort {
  const objects = new Objects(limited('S3', new S3Client(CLIENT_CONFIG), S3_MS), bucket, {});
  const readRegime = async () => {
    const found = await objects.read(REGIME_KEY);
    return found ? { regime: parseRegime(found.text), etag: found.etag } : { regime: FIRST_REGIME, etag: undefined };
  };
  const readDecision = async (epoch: number) => {
    const found = await objects.read(decisionKey(epoch));
    return found && parseDecision(found.text);
  };
  return {
    readRegime,
    writeRegime: async (regime, etag) => {
      const condition = etag === undefined ? { IfNoneMatch: '*' } : { IfMatch: etag };
      const written = await objects.write(REGIME_KEY, regime, condition);
      // Not what is there by now: another one may have followed it already.
      if (written?.etag !== undefined) return { regime, etag: written.etag };
      const now = await readRegime();
      // The response to a put may be lost: the client sends it again, and meets what it wrote itself.
      return JSON.stringify(now.regime) === JSON.stringify(regime) ? now : undefined;
    },
    readDecision,
    decide: async (epoch, decision) => {
      if (await objects.put(decisionKey(epoch), decision, { IfNoneMatch: '*' })) return decision;
      const present = await readDecision(epoch);
      if (!present)
        throw new Error(`'${DECISION_PREFIX}${epoch}' must be stored, got a failed condition and no object`);
      return present;
    },
  };
}
