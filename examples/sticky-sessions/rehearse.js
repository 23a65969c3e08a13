// One command: a Valkey, both sides, and the cutover of app.js through them, with the page open in your browser.
const { spawn, spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { createInterface } = require('node:readline');
const { setTimeout: pause } = require('node:timers/promises');
const { connect } = require('node:net');

const folder = mkdtempSync(join(tmpdir(), 'sticky-sessions-'));
const children = [];

/** @returns the path of its socket, once it listens */
async function startValkey() {
  const command = ['valkey-server', 'redis-server'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (command === undefined) throw new Error('valkey-server or redis-server must be installed, found neither');
  const path = join(folder, 'socket');
  const server = spawn(command, ['--port', '0', '--unixsocket', path, '--save', '', '--dir', folder], {
    stdio: 'ignore',
    detached: true,
  });
  children.push(server);
  while (!(await isListening(path))) {
    if (server.exitCode !== null) throw new Error(`${command} must listen, got exit code ${server.exitCode}`);
    await pause(20);
  }
  return path;
}

function isListening(path) {
  return new Promise((resolve) => {
    const socket = connect(path)
      .once('connect', () => resolve(true) || socket.destroy())
      .once('error', () => resolve(false));
  });
}

/** @returns its address, once it listens */
function startBackend(side, valkey) {
  const backend = spawn(process.execPath, [join(__dirname, 'backend.js'), '--side', side, '--valkey', valkey], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // Ctrl-C is for the rehearsal, which needs them until it has ended.
    detached: true,
  });
  children.push(backend);
  return new Promise((resolve, reject) => {
    backend.once('exit', (code) => reject(new Error(`the ${side} must listen, got exit code ${code}`)));
    createInterface(backend.stdout).once('line', (line) => resolve(`http://127.0.0.1:${line.split(' ').pop()}`));
  });
}

async function main() {
  const valkey = await startValkey();
  const [source, target] = await Promise.all([startBackend('source', valkey), startBackend('target', valkey)]);
  const files = ['--app', join(__dirname, 'cdk.out'), '--scenario', join(__dirname, 'scenario.yaml')];
  const given = process.argv.slice(2);
  const more = given.length > 0 ? given : ['--wait-for-clients', '--keep', '--open'];
  const flags = ['rehearse', ...files, '--source', source, '--target', target, '--map-port', '443=0', ...more];
  const rehearsal = spawn('drainshift', flags, { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    rehearsal.once('error', reject);
    rehearsal.once('exit', (code) => resolve(code ?? 1));
  });
}

process.on('SIGINT', () => {});
main()
  .catch((error) => {
    console.error(`sticky-sessions: ${error.message}`);
    return 1;
  })
  .then((code) => {
    process.exitCode = code;
    for (const child of children) child.removeAllListeners('exit').kill();
    rmSync(folder, { recursive: true, force: true });
  });
