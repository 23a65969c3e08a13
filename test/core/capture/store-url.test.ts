import { StoreUrl, formatStoreUrl, isSameStore, parseStoreUrl } from '../../../core/capture/store-url';

const GOOD: readonly (readonly [string, StoreUrl])[] = [
  ['/var/capture', { kind: 'path', path: '/var/capture' }],
  ['capture.proto.gz', { kind: 'path', path: 'capture.proto.gz' }],
  ['./a b', { kind: 'path', path: './a b' }],
  ['file:capture', { kind: 'path', path: 'capture' }],
  ['file:s3://odd', { kind: 'path', path: 's3://odd' }],
  ['file:///var/a%20b', { kind: 'path', path: '/var/a b' }],
  ['file://localhost/var', { kind: 'path', path: '/var' }],
  ['s3://my-bucket', { kind: 's3', bucket: 'my-bucket', prefix: '' }],
  ['s3://my-bucket/', { kind: 's3', bucket: 'my-bucket', prefix: '' }],
  ['s3://my.bucket/a/b', { kind: 's3', bucket: 'my.bucket', prefix: 'a/b/' }],
  ['s3://my-bucket/a/x.proto.gz', { kind: 's3', bucket: 'my-bucket', prefix: 'a/x.proto.gz' }],
  [
    'kafka://b-1.example:9098,[::1]:9092',
    {
      kind: 'kafka',
      security: 'none',
      brokers: [
        { host: 'b-1.example', port: 9098 },
        { host: '::1', port: 9092 },
      ],
      topic: 'logging-traffic-topic',
    },
  ],
  ...(['none', 'tls', 'plain', 'scram', 'iam'] as const).map((security): readonly [string, StoreUrl] => [
    `kafka${security === 'none' ? '' : `+${security}`}://b:9092/t.1`,
    { kind: 'kafka', security, brokers: [{ host: 'b', port: 9092 }], topic: 't.1' },
  ]),
  ['kafka-records', { kind: 'path', path: 'kafka-records' }],
  ['file:kafka+tls:x', { kind: 'path', path: 'kafka+tls:x' }],
];

test.each(GOOD)('%s is a store', (text, store) => {
  expect(parseStoreUrl(text)).toEqual(store);
  expect(parseStoreUrl(formatStoreUrl(store))).toEqual(store);
});

test.each([
  '',
  'a\0b',
  'file:',
  'file://elsewhere/var',
  'file:///var/%zz',
  'file:///var/%00',
  'http://host/',
  's3://',
  's3://Bucket',
  's3://ab',
  's3://user@bucket/',
  's3://bucket//a',
  's3://bucket/a//b',
  's3://bucket/a?b',
  `s3://bucket/${'a'.repeat(801)}`,
  'kafka://b',
  'kafka+ssl://b:9092',
  'kafka+://b:9092',
  'kafka://b:0',
  'kafka://b:70000',
  'kafka://b:9092,',
  'kafka://b:9092/..',
  'kafka://b:9092/a/b',
  'kafka://user:secret@b:9092',
  `kafka://b:9092/${'a'.repeat(250)}`,
  7,
  undefined,
])('%j is none', (text) => expect(parseStoreUrl(text)).toBeUndefined());

test.each([
  ['s3://bucket/a', 's3://bucket/a/', true],
  ['s3://bucket/a', 's3://bucket/b', false],
  ['s3://bucket', 's3://other', false],
  ['kafka+iam://b-1:9098/t', 'kafka+tls://b-2:9094,b-1:9094/t', true],
  ['kafka://b:9092/t', 'kafka://b:9092/u', false],
  ['kafka://b-1.shop.a.kafka:9092/t', 'kafka://b-3.shop.a.kafka:9092/t', true],
  ['kafka://b-1.shop.a.kafka:9092/t', 'kafka://b-1.cart.b.kafka:9092/t', false],
  ['kafka://10.0.0.1:9092/t', 'kafka://10.0.0.2:9092/t', false],
  ['captured', '/var/captured', true],
  ['captured', 's3://bucket/captured', false],
])('%s and %s: one store is %s', (a, b, isSame) => {
  expect(isSameStore(a, b)).toBe(isSame);
});
