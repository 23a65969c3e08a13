import tls from 'node:tls';
import { Broker, startBroker } from '../../../rehearsal/kafka/broker';
import { authority, certificateFrom } from '../../proxy/support/authority';
import { hasBroker } from './has-broker';
import { NO_LOGIN, record, topicsOf } from './topics';

const describeWithBroker = hasBroker('TLS and logins of Kafka') ? describe : describe.skip;
const user = 'recorder';
const password = 'only-for-tests';

describeWithBroker('a broker with TLS and logins', () => {
  let broker: Broker;
  const known = tls.getCACertificates('default');
  beforeAll(async () => {
    const ca = await authority('authority of the brokers');
    const { cert: certificate, key } = await certificateFrom(ca, 'localhost');
    broker = await startBroker({ identity: { certificate, key, user, password } });
    // As NODE_EXTRA_CA_CERTS at the start of a process.
    tls.setDefaultCACertificates([...known, ca.cert]);
  });
  afterAll(async () => {
    tls.setDefaultCACertificates(known);
    await broker.stop();
  });

  test.each(['tls', 'plain', 'scram'] as const)('records are written and read by kafka+%s', async (security) => {
    const port = security === 'tls' ? broker.tlsPort : broker.loginPort;
    const { open, readAll } = topicsOf({ port }, security, { ...NO_LOGIN, user, password });
    const writer = await open(security);
    await writer.append(1, [record(1), record(2)]);
    await writer.close();
    expect(await readAll(security)).toEqual({ seen: [1, 2], warnings: [], failure: undefined });
  });

  test.each(['plain', 'scram'] as const)('a wrong password of kafka+%s is named', async (security) => {
    const wrong = { ...NO_LOGIN, user, password: 'another' };
    const { open, readAll } = topicsOf({ port: broker.loginPort }, security, wrong);
    const writer = await open(security);
    await expect(writer.append(1, [record(1)])).rejects.toThrow(/did not take 1 records: .*[Aa]uthentication/);
    await writer.close();
    expect((await readAll(security)).failure).toMatch(/^topic '.*' of BROKER cannot be read: .*[Aa]uthentication/);
  });

  test('a certificate of an authority that is not known is named', async () => {
    tls.setDefaultCACertificates(known);
    try {
      const { readAll } = topicsOf({ port: broker.tlsPort }, 'tls');
      expect((await readAll('tls')).failure).toMatch(/cannot be read: .*certificate/);
    } finally {
      tls.setDefaultCACertificates([...known]);
    }
  });
});
