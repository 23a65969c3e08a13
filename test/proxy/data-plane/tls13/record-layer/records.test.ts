import { readAlert } from '../../../../../proxy/data-plane/tls13/record-layer/alerts';
import { CONTENT, openRecord, sealRecord } from '../../../../../proxy/data-plane/tls13/record-layer/records';
import { SUITES, TrafficKeys, expandLabel } from '../../../../../proxy/data-plane/tls13/record-layer/traffic-keys';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');

/** RFC 8448 section 3, "Simple 1-RTT Handshake". */
const RFC_8448 = {
  client: hex('9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5'),
  server: hex('a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643'),
  clientKey: hex('17422dda596ed5d9acd890e3c63f5051'),
  clientIv: hex('5b78923dee08579033e523d9'),
  serverKey: hex('9f02283b6c9c07efc26bb9f2ac92e356'),
  serverIv: hex('cf782b88dd83549aadf1e984'),
  content: Buffer.from(Array.from({ length: 50 }, (_, n) => n)),
  clientData: hex(`17030300 43a23f70 54b62c94 d0affafe 8228ba55 cbefacea 42f914aa 66bcab3f 2b9819a8 a5b46b39 5bd54a9a
    20441e2b 62974e1f 5a6292a2 977014bd 1e3deae6 3aeebb21 694915e4`),
  serverData: hex(`17030300 432e937e 11ef4ac7 40e538ad 36005fc4 a46932fc 3225d05f 82aa1b36 e30efaf9 7d90e6df fc602dcb
    501a59a8 fcc49c4b f2e5f0a2 1c0047c2 abf33254 0dd032e1 67c2955d`),
  clientAlert: hex('1703030013 c9872760655666b74d7ff1153efd6db6d0b0e3'),
  serverAlert: hex('1703030013 b58fd67166ebf599d24720cfbe7efa7a8864a9'),
};
const [AES_128] = SUITES;

function seal(keys: TrafficKeys, type: (typeof CONTENT)[keyof typeof CONTENT], content: Buffer | string) {
  const to = Buffer.alloc(20_000);
  return to.subarray(0, sealRecord(keys, type, content, to, 0));
}

const keysWith = (secret: Buffer, sequence: number, suite = AES_128!) =>
  new TrafficKeys(suite, Buffer.from(secret), sequence);

test('keys follow from the secrets as in RFC 8448', () => {
  const expand = (secret: Buffer, label: string, length: number) => expandLabel(AES_128!, secret, label, length);
  expect(expand(RFC_8448.client, 'key', 16)).toEqual(RFC_8448.clientKey);
  expect(expand(RFC_8448.client, 'iv', 12)).toEqual(RFC_8448.clientIv);
  expect(expand(RFC_8448.server, 'key', 16)).toEqual(RFC_8448.serverKey);
  expect(expand(RFC_8448.server, 'iv', 12)).toEqual(RFC_8448.serverIv);
});

test('records are opened and sealed as in RFC 8448', () => {
  // A session ticket was the server's first record.
  const server = keysWith(RFC_8448.server, 1);
  expect(seal(server, CONTENT.applicationData, RFC_8448.content)).toEqual(RFC_8448.serverData);
  expect(seal(server, CONTENT.alert, Buffer.from([1, 0]))).toEqual(RFC_8448.serverAlert);
  const client = keysWith(RFC_8448.client, 0);
  const data = openRecord(client, RFC_8448.clientData);
  expect([data.type, data.content.subarray(0, data.length)]).toEqual([CONTENT.applicationData, RFC_8448.content]);
  const alert = openRecord(client, RFC_8448.clientAlert);
  expect([alert.type, readAlert(alert.content, alert.length)]).toEqual([CONTENT.alert, 0]);
});
