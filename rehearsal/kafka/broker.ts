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

/** A broker of its own at 127.0.0.1, which is its own controller (KRaft). @param partitions of a topic that it creates when it is used */
export async function startBroker(partitions = 3): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'kafka-'));
  const [port, controller] = await Promise.all([findPort(), findPort()]);
  const settings = join(folder, 'server.properties');
  writeFileSync(
    settings,
    Object.entries(describe(folder, port, controller, partitions))
      .map((pair) => pair.join('='))
      .join('\n'),
  );
  const format = spawnSync('java', [
    ...JVM,
    ...QUIET,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    CLUSTER,
    '-c',
    settings,
  ]);
  if (format.status !== 0) throw new Error(`the broker's disk was not made: ${format.stderr.toString()}`);
  let child: ChildProcess | undefined;
  const start = async () => {
    const started = spawn('java', [...JVM, ...QUIET, 'kafka.Kafka', settings], { stdio: 'ignore' });
    child = started;
    await untilListening(port, () => started.exitCode !== null);
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
  return { port, start, kill, stop, pause: () => signal('SIGSTOP'), resume: () => signal('SIGCONT') };
}

function describe(
  folder: string,
  port: number,
  controller: number,
  partitions: number,
): Record<string, string | number> {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(folder, 'logs'),
    'num.partitions': partitions,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
  };
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
