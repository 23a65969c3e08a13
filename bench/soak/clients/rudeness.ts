import { HOST, pause } from '../../processes/ports';
import type { ClientSetup } from './client';
import { ClientConnection } from './connection';
import { formatPath } from '../account/faults';

const LARGE = 2 * 1024 * 1024;

/**
 * Resets the connection at some moment of a request. No client waits for a response; what is left behind shows in the ledger.
 */
export async function resetInTheMiddle({ door, account, chance, nextId }: ClientSetup): Promise<void> {
  const moments = {
    'before the request': '',
    'inside the head': `GET ${formatPath.get(nextId(), 10)} HTTP/1.1\r\nHost: ${HOST}\r\nX-Half`,
    'inside the body': `POST ${formatPath.post()} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(5000)}`,
    'inside a chunk': `POST ${formatPath.post()} HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nxxx`,
    'inside the response': `GET ${formatPath.get(nextId(), LARGE)} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
    'before a slow response': `GET ${formatPath.fault('stall', nextId(), 10)} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
    'inside an event stream': `GET ${formatPath.events(50, nextId())} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
  };
  const moment = chance.of(Object.keys(moments) as (keyof typeof moments)[]);
  const connection = new ClientConnection(door);
  connection.send(moments[moment]);
  await pause(chance.between(0, 60));
  connection.reset();
  account.count(`client resets ${moment}`);
}

/** Falls silent at some moment, and stays connected until the end of the cycle, or until the proxy has had enough. */
export async function fallSilent({ door, account, chance, goesOn, nextId }: ClientSetup): Promise<void> {
  const moments = {
    'before the request': '',
    'inside the head': `GET ${formatPath.get(nextId(), 10)} HTTP/1.1\r\nHo`,
    'inside the body': `POST ${formatPath.post()} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1000\r\n\r\nxxx`,
    'and does not read': `GET ${formatPath.get(nextId(), LARGE)} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
  };
  const moment = chance.of(Object.keys(moments) as (keyof typeof moments)[]);
  const connection = new ClientConnection(door);
  if (moment === 'and does not read') connection.socket.pause();
  connection.send(moments[moment]);
  for (let left = chance.between(10, 200); left > 0 && goesOn() && !connection.isOver; left -= 1) await pause(100);
  connection.close();
  account.count(`client falls silent ${moment}`);
}
