// Rehearses the cutover of app.js with a Valkey and the replicas of both sides on this machine, while people chat. At the end it says
// what each of them has heard.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { ReconnectingWebSocket } from 'drainshift/client';
import { WebSocket } from 'ws';

const PEOPLE = 12;
const ROOMS = 3;
const SAYS_EACH_MS = 500;
/** So long what was said last may be on its way. */
const LAST_MS = 30_000;

const here = import.meta.dirname;
const folder = mkdtempSync(join(tmpdir(), 'scaled-chat-'));
const children = [];

function start(command, args, options) {
  // Ctrl-C is for the rehearsal, which needs them until it has ended.
  const child = spawn(command, args, { detached: true, ...options });
  children.push(child);
  return child;
}

/** @returns the path of its socket, once it listens */
async function startValkey() {
  const command = ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (command === undefined) throw new Error('valkey-server or redis-server must be installed, found neither');
  const path = join(folder, 'socket');
  const flags = ['--port', '0', '--unixsocket', path, '--save', '', '--dir', folder];
  const server = start(command, flags, { stdio: 'ignore' });
  const isListening = () =>
    new Promise((resolve) => {
      const socket = connect(path, () => resolve(true) || socket.destroy()).once('error', () => resolve(false));
    });
  while (!(await isListening())) {
    if (server.exitCode !== null) throw new Error(`${command} must listen, got exit code ${server.exitCode}`);
    await pause(20);
  }
  return path;
}

/** @returns its address, once it listens */
function startSide(name, valkey) {
  const env = { ...process.env, VALKEY_URL: valkey };
  const side = start(process.execPath, [join(here, 'side.js'), '--name', name], {
    ...{ env, stdio: ['ignore', 'pipe', 'inherit'] },
  });
  return new Promise((resolve, reject) => {
    side.once('exit', (code) => reject(new Error(`the ${name} must listen, got exit code ${code}`)));
    createInterface(side.stdout).on('line', (line) => {
      if (line.startsWith('the replicas')) resolve(`http://127.0.0.1:${line.split(' ').pop()}`);
    });
  });
}

/** One of those who chat: says something again and again, and notes what it hears, and from which replica. */
class Person {
  said = 0;
  heard = new Map();
  doubled = 0;
  closes = [];
  replicas = new Set();

  constructor(number, { name, port, ca }) {
    this.id = `person-${number}`;
    this.room = `room-${number % ROOMS}`;
    let last;
    let sender;
    const url = () => {
      const query = new URLSearchParams({ client_id: this.id, room: this.room, ...(last && { last }) });
      return `wss://${name}:${port}/ws?${query}`;
    };
    const ack = {
      // The chat numbers messages itself: SENDER-7 is the seventh.
      write: (text, id) => {
        const at = id.lastIndexOf('-');
        sender = id.slice(0, at);
        return JSON.stringify({ message_id: Number(id.slice(at + 1)), text });
      },
      read: (data) => {
        const { type, message_id } = JSON.parse(data);
        return type === 'ack' ? `${sender}-${message_id}` : undefined;
      },
    };
    globalThis.WebSocket = localWebSocket(ca);
    this.socket = new ReconnectingWebSocket(url, [], { ack, maxDelayMs: 1000 });
    this.isConnected = new Promise((resolve) => {
      this.socket.onmessage = ({ data }) => {
        const { type, server, from, message_id, entry, last: newest } = JSON.parse(data);
        this.replicas.add(server);
        last = entry ?? last ?? newest;
        if (type === 'welcome') resolve();
        if (type === 'message') this.hear(from, message_id);
      };
    });
    this.socket.onclose = ({ code }) => this.closes.push(code);
  }

  hear(from, number) {
    const numbers = this.heard.get(from) ?? new Set();
    if (numbers.has(number)) this.doubled += 1;
    this.heard.set(from, numbers.add(number));
  }

  say() {
    this.said += 1;
    this.socket.send(`hello ${this.said}`);
  }

  /** How many of those that this one should have heard are missing. */
  countMissing(people) {
    const others = people.filter(({ room }) => room === this.room);
    return others.reduce((sum, { id, said }) => sum + said - (this.heard.get(id)?.size ?? 0), 0);
  }
}

/** Node.js 22 has none. */
class Closed extends Event {
  constructor(type, { code, reason, wasClean }) {
    super(type);
    Object.assign(this, { code, reason, wasClean });
  }
}

const EVENTS = { open: Event, message: MessageEvent, error: Event, close: Closed };

/** What a browser has, for an address of this machine and a certificate of the rehearsal's authority. */
function localWebSocket(ca) {
  const at = { address: '127.0.0.1', family: 4 };
  const lookup = (_, { all }, done) => (all ? done(null, [at]) : done(null, at.address, at.family));
  return class extends EventTarget {
    constructor(url, protocols) {
      super();
      this.socket = new WebSocket(url, protocols, { ca, lookup });
      for (const [type, Kind] of Object.entries(EVENTS)) {
        this.addEventListener(type, (event) => this[`on${type}`]?.(event));
        this.socket.addEventListener(type, (event) => this.dispatchEvent(new Kind(type, event)));
      }
    }

    get readyState() {
      return this.socket.readyState;
    }

    send(data) {
      this.socket.send(data);
    }

    close(code, reason) {
      this.socket.close(code, reason);
    }
  };
}

class Chat {
  people = [];
  isOver = false;
  codes = [];

  async run(address) {
    this.people = Array.from({ length: PEOPLE }, (_, number) => new Person(number, address));
    await Promise.all(this.people.map(({ isConnected }) => isConnected));
    while (!this.isOver) {
      for (const person of this.people) person.say();
      await pause(SAYS_EACH_MS);
    }
  }

  countMissing() {
    return this.people.reduce((sum, person) => sum + person.countMissing(this.people), 0);
  }

  async end() {
    this.isOver = true;
    for (const untilMs = Date.now() + LAST_MS; this.countMissing() > 0 && Date.now() < untilMs;) await pause(20);
    // What comes later is of the rehearsal's end.
    this.codes = [...new Set(this.people.flatMap(({ closes }) => closes))];
  }

  /** @returns whether everything is as it should be */
  judge() {
    const sum = (count) => this.people.reduce((total, person) => total + count(person), 0);
    const said = sum(({ said }) => said);
    const missing = this.countMissing();
    const doubled = sum(({ doubled }) => doubled);
    const heard = sum(({ heard }) => [...heard.values()].reduce((total, numbers) => total + numbers.size, 0));
    const moved = this.people.filter(({ replicas }) => ['source', 'target'].every((side) => hasSide(replicas, side)));
    console.log(`
chat: ${PEOPLE} people in ${ROOMS} rooms said ${said} and heard ${heard} messages; ${missing} lost, ${doubled} doubled
      ${moved.length} of them came from the source to the target, closed with ${this.codes.join(', ') || 'nothing'}`);
    return said > 0 && missing === 0 && doubled === 0 && moved.length > 0;
  }
}

const hasSide = (replicas, side) => [...replicas].some((name) => name.startsWith(side));

/** Starts the rehearsal, which stays up until what was said last is heard. */
function rehearse(urls, chat) {
  const files = ['--app', join(here, 'cdk.out'), '--scenario', join(here, 'scenario.yaml')];
  const ports = ['443', '9201', '9202'].flatMap((port) => ['--map-port', `${port}=0`]);
  const flags = ['rehearse', ...files, ...urls, ...ports, '--keep', ...process.argv.slice(2)];
  const rehearsal = spawn('drainshift', flags, { stdio: ['inherit', 'pipe', 'inherit'] });
  createInterface(rehearsal.stdout).on('line', (line) => {
    // What it offers while it stays up is not needed here.
    if (!chat.isOver) console.log(line);
    const [, caFile, name, port] = /--cacert (\S+) --resolve ([^:]+):(\d+):/.exec(line) ?? [];
    if (caFile && chat.people.length === 0) void chat.run({ name, port, ca: readFileSync(caFile) });
    if (line.startsWith('The local cloud stays up')) void chat.end().then(() => rehearsal.kill('SIGINT'));
  });
  return new Promise((resolve, reject) => {
    rehearsal.once('error', reject);
    rehearsal.once('exit', (code) => resolve(code ?? 1));
  });
}

async function main() {
  const valkey = await startValkey();
  const [source, target] = await Promise.all([startSide('source', valkey), startSide('target', valkey)]);
  const chat = new Chat();
  const code = await rehearse(['--source', source, '--target', target], chat);
  for (const { socket } of chat.people) socket.close();
  return chat.judge() ? code : Math.max(1, code);
}

process.on('SIGINT', () => {});
main()
  .catch((error) => {
    console.error(`websocket-scaling: ${error.message}`);
    return 1;
  })
  .then((code) => {
    for (const child of children) child.removeAllListeners('exit').kill();
    rmSync(folder, { recursive: true, force: true });
    process.exit(code);
  });
