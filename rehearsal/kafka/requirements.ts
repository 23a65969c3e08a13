import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { UsageError } from '../errors/usage-error';
import { JARS } from './broker';

/** Of Kafka 4: its brokers run on Java 17 and later ones. */
const FIRST_JAVA = 17;

/**
 * Whether a broker can be started here.
 *
 * @throws UsageError in one line for what is missing, and where it comes from
 */
export function checkBroker(java = 'java', jars = JARS): void {
  const { error, stderr } = spawnSync(java, ['-version'], { encoding: 'utf8' });
  const version = error ? undefined : /version "(\d+)/.exec(stderr)?.[1];
  const rule = `Java ${FIRST_JAVA} or newer must be installed for the broker of '--capture kafka'`;
  if (version === undefined) throw new UsageError(`${rule}, got none`);
  if (Number(version) < FIRST_JAVA) throw new UsageError(`${rule}, got ${version}`);
  if (existsSync(jars)) return;
  throw new UsageError(
    `'DRAINSHIFT_KAFKA_JARS' must be the folder 'libs' of Kafka 4 (https://kafka.apache.org/downloads) for '--capture kafka', got no folder '${jars}'; ` +
      `in a clone of the repository 'scripts/kafka-jars.sh ${jars}' makes it`,
  );
}
