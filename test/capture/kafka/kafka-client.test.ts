import { clientOptions } from '../../../capture/kafka/kafka-client';
import { StoreUrl, parseStoreUrl } from '../../../core/capture/store-url';

const regions: (string | undefined)[] = [];
const createToken = (region: string | undefined) => {
  regions.push(region);
  return Promise.resolve('token');
};

function optionsOf(url: string) {
  const store = parseStoreUrl(url) as Extract<StoreUrl, { kind: 'kafka' }>;
  const { tls, tlsServerName, sasl } = clientOptions(store, 'id', { user: 'u', password: 'p', createToken });
  return { tls, tlsServerName, sasl };
}

test('only kafka:// is without TLS; logins are those of the scheme', () => {
  expect(optionsOf('kafka://b:9092')).toEqual({});
  const tls = { tls: {}, tlsServerName: true };
  expect(optionsOf('kafka+tls://b:9092')).toEqual(tls);
  const login = { username: 'u', password: 'p' };
  expect(optionsOf('kafka+plain://b:9092')).toEqual({ ...tls, sasl: { mechanism: 'PLAIN', ...login } });
  expect(optionsOf('kafka+scram://b:9092')).toEqual({ ...tls, sasl: { mechanism: 'SCRAM-SHA-512', ...login } });
  expect(optionsOf('kafka+iam://b:9098')).toMatchObject({ ...tls, sasl: { mechanism: 'OAUTHBEARER' } });
});

test.each([
  ['b-1.shop.a1b2c3.c2.kafka.eu-central-1.amazonaws.com', 'eu-central-1'],
  ['boot-x1y2z3.c1.kafka-serverless.us-east-2.amazonaws.com', 'us-east-2'],
  ['b-1.shop.a1b2c3.c2.kafka.cn-north-1.amazonaws.com.cn', 'cn-north-1'],
  ['broker.internal', undefined],
  ['kafka.eu-central-1.amazonaws.com.evil.example', undefined],
])('a token for %s is for the region %s', async (host, region) => {
  const { sasl } = optionsOf(`kafka+iam://${host}:9098`);
  expect(await (sasl?.token as () => Promise<string>)()).toBe('token');
  expect(regions.pop()).toBe(region);
});
