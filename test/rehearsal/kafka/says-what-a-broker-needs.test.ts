import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkBroker } from '../../../rehearsal/kafka/requirements';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'drainshift-java-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What says of itself that it is Java. */
function makeJava(version: string): string {
  const file = join(folder, `java-${version}`);
  writeFileSync(file, `#!/bin/sh\necho 'openjdk version "${version}" 2025-01-01' >&2\n`);
  chmodSync(file, 0o755);
  return file;
}

test('without Java, with an old one and without the jars one line says what is missing, and where it comes from', () => {
  const rule = "Java 17 or newer must be installed for the broker of '--capture kafka'";
  expect(() => checkBroker(join(folder, 'none'), folder)).toThrow(`${rule}, got none`);
  expect(() => checkBroker(makeJava('11.0.2'), folder)).toThrow(`${rule}, got 11`);
  const jars = join(folder, 'no jars');
  expect(() => checkBroker(makeJava('21.0.1'), jars)).toThrow(
    `'DRAINSHIFT_KAFKA_JARS' must be the folder 'libs' of Kafka 4 (https://kafka.apache.org/downloads) for '--capture kafka', got no folder '${jars}'; ` +
      `in a clone of the repository 'scripts/kafka-jars.sh ${jars}' makes it`,
  );
  expect(() => checkBroker(makeJava('17'), folder)).not.toThrow();
});
