import { AddressInfo, Socket, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { announceReady } from '../processes/entry';
import { StoreCall, StoreState } from './store-state';

// Entry: the store that both backends share. One call a line as JSON, one response a line, in the order of the calls.

const state = new StoreState();
const server = createServer({ noDelay: true }, serve);
server.listen(0, '127.0.0.1', () => {
  announceReady({ url: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on('SIGTERM', () => process.exit(0));

function serve(socket: Socket): void {
  socket.on('error', () => socket.destroy());
  createInterface({ input: socket }).on('line', (line) => {
    socket.write(`${JSON.stringify(state.run(JSON.parse(line) as StoreCall))}\n`);
  });
}
