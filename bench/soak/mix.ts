import { pause } from '../processes/ports.ts';
import type { Activity, ClientWorld } from './client.ts';
import { getInTurn, getOnce, getPipelined, post, readEvents, readSlowly } from './exchanges.ts';
import { callStreams, callUnary, giveUpCalls } from './grpc.ts';
import { askOverHttp2, cancelStreams } from './http2.ts';
import { fallSilent, resetInTheMiddle } from './rudeness.ts';
import { talk } from './web-socket.ts';

/** How often each activity is chosen. */
const ACTIVITIES: readonly Activity[] = [
  ...[getInTurn, getInTurn, getInTurn, getInTurn, getPipelined, getPipelined, getOnce, getOnce, post, post, post],
  ...[talk, talk, readEvents, readSlowly, resetInTheMiddle, resetInTheMiddle, fallSilent],
  ...[
    askOverHttp2,
    askOverHttp2,
    askOverHttp2,
    cancelStreams,
    callUnary,
    callUnary,
    callStreams,
    callStreams,
    giveUpCalls,
  ],
];

/** Clients that do one thing after the other. Resolves when every one of them has finished what it began. */
export async function mixedLoad(world: ClientWorld, clients: number): Promise<void> {
  await Promise.all(Array.from({ length: clients }, () => client(world)));
}

async function client(world: ClientWorld): Promise<void> {
  while (world.goesOn()) {
    await world.chance.of(ACTIVITIES)(world);
    await pause(world.chance.between(0, 20));
  }
}

let lastId = 0;
export function nextId(): number {
  lastId += 1;
  return lastId;
}
