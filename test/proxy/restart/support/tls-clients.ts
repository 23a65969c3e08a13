import { ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { later } from '../../support/world';

/**
 * A client that somebody else wrote, with one WebSocket over TLS to an echo: it sends numbers, and knows which one comes
 * next. Or one with an event stream, whose events have numbers; or one that asks again and again over one connection.
 */
export interface TlsClient {
  readonly name: string;
  /** Echoes, events or responses that came in their turn. */
  readonly received: number;
  /** What it noticed. */
  readonly fault: string | undefined;
  stop(): void;
}

/** Those of `curl` without `-N`, `go` and `chromium` speak TLS 1.3 alone. */
export type TlsVersion = '1.2' | '1.3';

const PAUSE_MS = 20;

const PYTHON = `
import os, socket, ssl, struct, sys, time
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.minimum_version = context.maximum_version = ssl.TLSVersion['TLSv1_' + sys.argv[2][2:]]
connection = context.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))))
connection.sendall(b'GET /chat HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n')
stream = connection.makefile('rb')
while stream.readline() not in (b'\\r\\n', b''): pass
number = 0
while True:
    text = str(number).encode()
    connection.sendall(bytes([0x81, 0x80 | len(text)]) + b'\\0\\0\\0\\0' + text)
    head = stream.read(2)
    got = stream.read(head[1])
    if head[0] != 0x81 or got != text: sys.exit(f'expected {text}, got {got}')
    number += 1
    print(number, flush=True)
    time.sleep(${PAUSE_MS / 1000})
`;

/** Its own reader of chunks. */
const PYTHON_EVENTS = `
import http.client, ssl, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.minimum_version = context.maximum_version = ssl.TLSVersion['TLSv1_' + sys.argv[2][2:]]
connection = http.client.HTTPSConnection('127.0.0.1', int(sys.argv[1]), context=context)
connection.request('GET', '/events', headers={'Accept': 'text/event-stream'})
response = connection.getresponse()
number = 0
while True:
    number += 1
    event = [response.readline().decode().strip() for _ in range(3)]
    if event != [f'id: {number}', f'data: {number}', '']: sys.exit(f'expected event {number}, got {event}')
    print(number, flush=True)
`;

const GO = `package main

import ("bufio"; "crypto/tls"; "fmt"; "io"; "os"; "time")

func check(err error) { if err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) } }

func main() {
	connection, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[1], &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	check(err)
	io.WriteString(connection, "GET /chat HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n")
	reader := bufio.NewReader(connection)
	for line := ""; line != "\\r\\n"; { line, err = reader.ReadString('\\n'); check(err) }
	for number := 0; ; number++ {
		text := fmt.Sprint(number)
		_, err = connection.Write(append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...))
		check(err)
		frame := make([]byte, 2+len(text))
		_, err = io.ReadFull(reader, frame)
		check(err)
		if string(frame[2:]) != text { check(fmt.Errorf("expected %s, got %s", text, frame[2:])) }
		fmt.Println(number + 1)
		time.Sleep(${PAUSE_MS} * time.Millisecond)
	}
}
`;

const PAGE = (port: number) => `<!doctype html><script>
let number = 0;
const tell = (what) => fetch('/' + what, { method: 'POST' }).catch(() => {});
const socket = new WebSocket('wss://127.0.0.1:${port}/chat');
const say = () => socket.send(String(number));
socket.onopen = say;
socket.onmessage = ({ data }) => {
  if (data !== String(number)) return tell('fault/got-' + data + '-for-' + number);
  number += 1;
  if (number % 10 === 0) tell(number);
  setTimeout(say, ${PAUSE_MS});
};
socket.onclose = ({ code }) => tell('fault/closed-' + code);
let event = 0;
const events = new EventSource('https://127.0.0.1:${port}/events');
events.onmessage = ({ data, lastEventId }) => {
  event += 1;
  if (data !== String(event) || lastEventId !== data) tell('fault/event-' + data + '-for-' + event);
};
events.onerror = () => tell('fault/events-interrupted');
</script>`;

/** One that prints how much it has received, a line each. */
function follow(name: string, child: ChildProcess): TlsClient {
  const client = { name, received: 0, fault: undefined as string | undefined, stop: () => stop(child) };
  let errors = '';
  child.stdout!.on('data', (bytes: Buffer) => (client.received += bytes.toString().split('\n').length - 1));
  child.stderr!.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  child.on('exit', (code) => (client.fault ??= `exit code ${code}: ${errors}`));
  later(client.stop);
  return client;
}

function stop(child: ChildProcess): void {
  child.removeAllListeners('exit');
  child.kill('SIGKILL');
}

function frame(number: number): Buffer {
  const text = String(number);
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

/** Its standard input is the client's side of the connection, and its standard output the server's. */
function startOpenssl(port: number, version: TlsVersion): TlsClient {
  const child = spawn('openssl', [
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    `-tls${version.replace('.', '_')}`,
    '-quiet',
  ]);
  const client = { name: 'openssl', received: 0, fault: undefined as string | undefined, stop: () => stop(child) };
  let bytes = Buffer.alloc(0);
  let hasSwitched = false;
  child.stdin.on('error', () => undefined);
  child.stdin.write(
    'GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  child.stdout.on('data', (piece: Buffer) => {
    bytes = Buffer.concat([bytes, piece]);
    const end = bytes.indexOf('\r\n\r\n');
    if (!hasSwitched && end < 0) return;
    if (!hasSwitched) {
      bytes = bytes.subarray(end + 4);
      hasSwitched = true;
      child.stdin.write(frame(0));
    }
    const text = String(client.received);
    if (bytes.length < 2 + text.length) return;
    if (bytes.toString('latin1', 2) !== text) client.fault ??= `expected ${text}, got ${bytes.toString('latin1', 2)}`;
    bytes = Buffer.alloc(0);
    client.received += 1;
    setTimeout(() => child.stdin.write(frame(client.received)), PAUSE_MS);
  });
  child.on('exit', (code) => (client.fault ??= `exit code ${code}`));
  later(client.stop);
  return client;
}

/** So many requests, over as many connections as it needs: it says how many it has opened for each. */
function startCurl(port: number): TlsClient {
  const child = spawn('curl', [
    ...['-sSk', '--http1.1', '--tlsv1.3', '--noproxy', '*', '--rate', `${1000 / PAUSE_MS}/s`, '-o', '/dev/null'],
    ...['-w', '%{stderr}%{http_code} %{num_connects}\n', `https://127.0.0.1:${port}/[1-1000000]`],
  ]);
  const client = { name: 'curl', received: 0, fault: undefined as string | undefined, stop: () => stop(child) };
  // What goes to its standard output waits there for more.
  createInterface(child.stderr).on('line', (line) => {
    const wanted = client.received === 0 ? '200 1' : '200 0';
    if (line !== wanted) client.fault ??= `expected ${wanted}, got ${line}`;
    client.received += 1;
  });
  later(client.stop);
  return client;
}

/** Buffers nothing, and ends with the stream. */
function startCurlEvents(port: number, version: TlsVersion): TlsClient {
  const child = spawn('curl', [
    ...['-sSNk', '--http1.1', `--tlsv${version}`, '--tls-max', version, '--noproxy', '*'],
    `https://127.0.0.1:${port}/events`,
  ]);
  const client = { name: 'curl -N', received: 0, fault: undefined as string | undefined, stop: () => stop(child) };
  createInterface(child.stdout).on('line', (line) => {
    if (!line.startsWith('data: ')) return;
    client.received += 1;
    if (line !== `data: ${client.received}`) client.fault ??= `expected event ${client.received}, got ${line}`;
  });
  child.on('exit', (code) => (client.fault ??= `exit code ${code}`));
  later(client.stop);
  return client;
}

async function startGo(port: number): Promise<TlsClient> {
  const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-go-'));
  later(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, 'main.go'), GO);
  await promisify(execFile)('go', ['build', '-o', 'client', 'main.go'], { cwd: folder });
  return follow('go', spawn(path.join(folder, 'client'), [`${port}`]));
}

async function startChromium(port: number): Promise<TlsClient> {
  const folder = mkdtempSync(path.join(tmpdir(), 'drainshift-chromium-'));
  const client = { name: 'chromium', received: 0, fault: undefined as string | undefined, stop: () => undefined };
  const server = http.createServer((request, response) => {
    const [, what, why] = request.url!.split('/');
    if (request.method === 'POST' && what === 'fault') client.fault ??= why;
    else if (request.method === 'POST') client.received = Number(what);
    response.setHeader('content-type', 'text/html').end(request.method === 'GET' ? PAGE(port) : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const child = spawn('chromium', [
    // An event stream of HTTP/2 ends with its connection, and the browser asks for it again.
    ...[
      '--headless=new',
      '--no-sandbox',
      '--disable-http2',
      '--disable-gpu',
      '--ignore-certificate-errors',
      '--no-proxy-server',
    ],
    ...[`--user-data-dir=${folder}`, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`],
  ]);
  child.on('exit', (code) => (client.fault ??= `exit code ${code}`));
  later(async () => {
    server.close();
    server.closeAllConnections();
    if (child.exitCode === null) {
      const exit = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await exit;
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return client;
}

const CLIENTS: readonly {
  readonly name: string;
  readonly ask: readonly string[];
  start(port: number, version: TlsVersion): TlsClient | Promise<TlsClient>;
}[] = [
  {
    name: 'python3',
    ask: ['--version'],
    start: (port, version) => follow('python3', spawn('python3', ['-c', PYTHON, `${port}`, version])),
  },
  {
    name: 'python3',
    ask: ['--version'],
    start: (port, version) =>
      follow('python3 with events', spawn('python3', ['-c', PYTHON_EVENTS, `${port}`, version])),
  },
  { name: 'openssl', ask: ['version'], start: startOpenssl },
  { name: 'curl', ask: ['--version'], start: startCurl },
  { name: 'curl', ask: ['--version'], start: startCurlEvents },
  { name: 'curl -N', ask: ['--version'], start: startCurlEvents },
  { name: 'go', ask: ['version'], start: startGo },
  { name: 'chromium', ask: ['--version'], start: startChromium },
];

/** Of these, those that this machine has. */
export function findTlsClients(names: readonly string[]) {
  return CLIENTS.filter(({ name, ask }) => {
    if (!names.includes(name)) return false;
    const isInstalled = spawnSync(name.split(' ')[0]!, ask).status === 0;
    if (!isInstalled) process.stderr.write(`${name} is not installed: it is no client of this test\n`);
    return isInstalled;
  });
}
