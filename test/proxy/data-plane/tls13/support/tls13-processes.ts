import { ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { generate } from 'selfsigned';

export interface HandedOver {
  /** Connections by what was in the way. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Those that went over, by what their numbers rest on. */
  readonly proofs: Readonly<Record<string, number>>;
}

export interface HostBundle {
  /** Starts a process with a TLS server. */
  start(): Promise<Host>;
  remove(): void;
}

export interface Host {
  readonly port: number;
  /** Has another process started, and all connections that can go over to it do. */
  handOver(): Promise<HandedOver>;
  /** As an out-of-memory killer would. */
  kill(): void;
}

export async function bundleHost(): Promise<HostBundle> {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-tls13-'));
  const bundle = join(folder, 'host.js');
  buildSync({
    entryPoints: [join(__dirname, 'host.ts')],
    bundle: true,
    platform: 'node',
    target: 'node24',
    outfile: bundle,
  });
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
  });
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  return {
    start: () => start(bundle, [join(folder, 'cert.pem'), join(folder, 'key.pem')]),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

async function start(bundle: string, files: readonly string[]): Promise<Host> {
  const child = fork(bundle, ['first', ...files]);
  const { port } = await receive<{ port: number }>(child);
  return {
    port,
    handOver: () => {
      child.send('handOver');
      return receive<HandedOver>(child);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

function receive<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const exited = () => reject(new Error('the process has exited'));
    child.once('exit', exited);
    child.once('message', (message) => {
      child.off('exit', exited);
      resolve(message as T);
    });
  });
}
