import { pause } from '../../processes/ports';
import type { Activity, ClientSetup } from './client';
import { getInTurn, getOnce, getPipelined, post, readEvents, readSlowly } from './exchanges';
import { callStreams, callUnary, giveUpCalls } from './grpc';
import { askOverHttp2, cancelStreams } from './http2';
import { fallSilent, resetInTheMiddle } from './rudeness';
import { talk } from './web-socket';

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
export async function mixedLoad(cloud: ClientSetup, clients: number): Promise<void> {
  await Promise.all(Array.from({ length: clients }, () => client(cloud)));
}

async function client(cloud: ClientSetup): Promise<void> {
  while (cloud.goesOn()) {
    await cloud.chance.of(ACTIVITIES)(cloud);
    await pause(cloud.chance.between(0, 20));
  }
}

let lastId = 0;
export function nextId(): number {
  lastId += 1;
  return lastId;
}
