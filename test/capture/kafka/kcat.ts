import { spawnSync } from 'node:child_process';

/** A client of Kafka that shares nothing with this project (librdkafka). */
export const hasKcat = (): boolean => spawnSync('kcat', ['-V']).status === 0;

export interface ForeignRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: Buffer;
}

/** All that is in a topic, by partition and offset. */
export function readWithKcat(port: number, topic: string): ForeignRecord[] {
  const options = ['-C', '-e', '-q', '-o', 'beginning', '-b', `127.0.0.1:${port}`, '-t', topic];
  const { status, stdout, stderr } = spawnSync('kcat', [...options, '-f', '%p %o %K %S\n%k%s'], {
    maxBuffer: 1_000_000_000,
  });
  if (status !== 0) throw new Error(`kcat ended with ${status}: ${stderr.toString()}`);
  const records: ForeignRecord[] = [];
  for (let at = 0; at < stdout.length;) {
    const end = stdout.indexOf('\n', at);
    const numbers = stdout.toString('latin1', at, end).split(' ').map(Number);
    const [partition = 0, offset = 0, keyBytes = 0, valueBytes = 0] = numbers;
    const value = end + 1 + keyBytes;
    at = value + valueBytes;
    records.push({
      partition,
      offset,
      key: stdout.toString('utf8', end + 1, value),
      value: stdout.subarray(value, at),
    });
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}
