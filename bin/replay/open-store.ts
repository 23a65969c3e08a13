import { InvalidArgumentError } from 'commander';
import { openFileSource } from '../../capture/folder/file-source';
import type { KafkaAccess } from '../../capture/kafka/kafka-client';
import { readKafka } from '../../capture/kafka/kafka-source';
import { readParts } from '../../capture/read/part-merge';
import type { CaptureReader } from '../../capture/contract/reader';
import { KafkaUrl, STORE_URL_RULE, StoreUrl, needsLogin, parseStoreUrl } from '../../core/capture/store-url';
import { loadAws } from './load-aws';

/** Reads the value of a flag. @throws InvalidArgumentError that says the rule */
export function storeFrom(text: string): StoreUrl {
  const store = parseStoreUrl(text);
  if (store) return store;
  throw new InvalidArgumentError(`must be ${STORE_URL_RULE}, got '${text}'`);
}

/** @throws Error that says why it cannot be read */
export async function openStore(store: StoreUrl): Promise<CaptureReader> {
  switch (store.kind) {
    case 'path':
      return readParts(await openFileSource(store.path));
    case 's3':
      return readParts(await (await loadAws()).openS3Source(store.bucket, store.prefix));
    case 'kafka':
      return readKafka(store, readAccess(store));
  }
}

/** As the proxies have it. @throws Error that names the variable that is missing */
function readAccess({ security }: KafkaUrl): KafkaAccess {
  const createToken = async (region: string | undefined) => (await loadAws()).createMskToken(region);
  const { DRAINSHIFT_CAPTURE_USER: user, DRAINSHIFT_CAPTURE_PASSWORD: password } = process.env;
  if (needsLogin(security))
    for (const [name, value] of Object.entries({
      DRAINSHIFT_CAPTURE_USER: user,
      DRAINSHIFT_CAPTURE_PASSWORD: password,
    }))
      if (value === undefined) throw new Error(`'${name}' must be set for kafka+${security}, got nothing`);
  return { user, password, createToken };
}
