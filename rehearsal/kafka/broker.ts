import { ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net, { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sendSignal } from '../processes/signal';

/** Filled by `scripts/kafka-jars.sh`. */
export const JARS = process.env['DRAINSHIFT_KAFKA_JARS'] ?? join(tmpdir(), 'drainshift-kafka-4.4.0');
const CLUSTER = 'MkU3OEVBNTcwNTJENDM2Qg';
const JVM = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${JARS}/*`];
const QUIET = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];

/** What a broker takes that is not here, for a person; undefined where one can be started. */
export function findMissing(): string | undefined {
  const isThere = existsSync(JARS) && spawnSync('java', ['-version']).status === 0;
  return isThere ? undefined : `it takes Java and 'scripts/kafka-jars.sh ${JARS}'`;
}

export interface Broker {
  readonly port: number;
  /** By `localhost`, of one that has an identity. */
  readonly tlsPort: number;
  readonly loginPort: number;
  /** At once, as one that dies. What it has on its disk stays. */
  kill(): Promise<void>;
  /** At the same port, with what it had. */
  start(): Promise<void>;
  /** It hangs: its connections stay. */
  pause(): void;
  resume(): void;
  /** And removes what it had. */
  stop(): Promise<void>;
}

/** What clients of its TLS ports see. PEM. */
export interface BrokerIdentity {
  readonly certificate: string;
  /** In PKCS #8. */
  readonly key: string;
  /** Who may log in, by PLAIN and SCRAM-SHA-512. */
  readonly user: string;
  readonly password: string;
}

export interface BrokerOptions {
  /** Of a topic that it creates when it is used. @default 3 */
  readonly partitions?: number;
  /** Whether a topic that is not there is created when it is used. Those of Amazon MSK do not, by default. @default true */
  readonly createsTopics?: boolean;
  /** @default - there are no TLS ports */
  readonly identity?: BrokerIdentity;
}

/** A broker of its own at 127.0.0.1, which is its own controller (KRaft). */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'kafka-'));
  const ports = {
    ...{ plain: await findPort(), controller: await findPort() },
    ...{ tls: await findPort(), login: await findPort() },
  };
  const settings = makeDisk(folder, ports, options);
  let child: ChildProcess | undefined;
  const start = async () => {
    const started = spawn('java', [...JVM, ...QUIET, 'kafka.Kafka', settings], { stdio: 'ignore' });
    child = started;
    await untilListening(ports.plain, () => started.exitCode !== null);
  };
  const signal = (name: NodeJS.Signals) => {
    if (child && child.exitCode === null && child.signalCode === null) sendSignal(child.pid, name);
  };
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    signal('SIGKILL');
    await exit;
  };
  const clean = () => {
    signal('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', clean);
  const stop = async () => {
    await kill();
    process.off('exit', clean);
    clean();
  };
  await start();
  return {
    port: ports.plain,
    tlsPort: ports.tls,
    loginPort: ports.login,
    start,
    kill,
    stop,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
  };
}

/** @returns the file with its settings. @throws Error that says why there is none */
function makeDisk(folder: string, ports: Ports, options: BrokerOptions): string {
  const settings = join(folder, 'server.properties');
  const lines = Object.entries(describe(folder, ports, options)).map((pair) => pair.join('='));
  writeFileSync(settings, lines.join('\n'));
  const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', settings, ...listUsers(options)];
  const { status, stderr } = spawnSync('java', [...JVM, ...QUIET, ...format]);
  if (status !== 0) throw new Error(`the broker's disk was not made: ${stderr.toString()}`);
  return settings;
}

interface Ports {
  readonly plain: number;
  readonly controller: number;
  readonly tls: number;
  readonly login: number;
}

function describe(folder: string, ports: Ports, options: BrokerOptions): Record<string, unknown> {
  const { partitions = 3, createsTopics = true, identity } = options;
  const open = `PLAINTEXT://127.0.0.1:${ports.plain}`;
  const secure = identity === undefined ? [] : [`SSL://localhost:${ports.tls}`, `SASL_SSL://localhost:${ports.login}`];
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    listeners: [open, ...secure, `CONTROLLER://127.0.0.1:${ports.controller}`].join(),
    'advertised.listeners': [open, ...secure].join(),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL',
    'log.dirs': join(folder, 'logs'),
    'num.partitions': partitions,
    'auto.create.topics.enable': createsTopics,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    ...(identity && describeIdentity(identity)),
  };
}

function describeIdentity({ certificate, key, user, password }: BrokerIdentity): Record<string, string> {
  const inOneLine = (pem: string) => pem.trim().replaceAll(/\r?\n/g, '\\n');
  const modules = 'org.apache.kafka.common.security';
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': inOneLine(certificate),
    'ssl.keystore.key': inOneLine(key),
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'listener.name.sasl_ssl.plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required user_${user}="${password}";`,
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
  };
}

function listUsers({ identity }: BrokerOptions): string[] {
  if (identity === undefined) return [];
  return ['--add-scram', `SCRAM-SHA-512=[name=${identity.user},password=${identity.password}]`];
}

/** It takes no port 0. */
async function findPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilListening(port: number, hasEnded: () => boolean): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const isThere = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => setTimeout(resolve, 50, false));
    });
    socket.destroy();
    if (isThere) return;
    if (hasEnded()) throw new Error('the broker ended before it listened');
  }
}
