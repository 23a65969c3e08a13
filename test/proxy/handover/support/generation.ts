import { writeFileSync } from 'node:fs';
import { HandOver } from '../../../../proxy/handover/hand-over';
import { HandlePipe, PipeMessage } from '../../../../proxy/handover/handle-pipe';
import type { HandoverAddress } from '../../../../proxy/handover/messages';
import { Receiver } from '../../../../proxy/handover/receiver';
import { Ledger } from '../../../../proxy/data-plane/contract/ledger';
import type { Forward, Upstream } from '../../../../proxy/data-plane/contract/data-plane';
import { trustingLimits } from '../../../../proxy/data-plane/contract/limits';
import { completeTimeouts } from '../../../../core/proxy/settings/setting-names';
import { createDataPlane } from '../../../../proxy/data-plane/engine/engine';
import { fastPath } from '../../../../proxy/data-plane/transport/handle-transport-check';
import { SYSTEM_CLOCK } from '../../../../proxy/process/clock';

/**
 * One generation, as a process: a data plane before an upstream, which hands its connections over, or takes them over, as the test
 * says. It kills itself at a message of the hand-over where it is asked to.
 */
export type ToGeneration =
  | {
      readonly do: 'serve';
      readonly upstreamPort: number;
      /** It accepts as before its fast path was tried. */
      readonly isUntried?: boolean;
      readonly isUpstreamTls?: boolean;
    }
  | { readonly do: 'receive' }
  | { readonly do: 'handOver'; readonly addresses: readonly HandoverAddress[] }
  | { readonly do: 'hold'; readonly isHolding: boolean }
  | { readonly do: 'drain'; readonly isDraining: boolean }
  /** WebSockets, if nothing else is said. */
  | { readonly do: 'closeAll'; readonly kind?: 'serverSentEvents' }
  /** So many of those that this process pumps. */
  | { readonly do: 'askToLeave'; readonly count: number }
  /** At the nth message of this name, before or behind it. */
  | {
      readonly do: 'killAt';
      readonly is: string;
      readonly nth: number;
      readonly when: 'before' | 'behind';
      readonly signal?: 'SIGSTOP';
    }
  | { readonly do: 'report' };

const ledger = new Ledger();
const log = {
  info: (figures: object, message: string) => lines.push({ message, ...figures }),
  warn: (figures: object, message: string) => lines.push({ message, ...figures }),
};
const lines: object[] = [];
let upstream: Upstream = { protocol: 'http', host: '127.0.0.1', port: 0, verifyCertificate: false };
let settled = 0;

function forward(record?: { readonly opened: number }): Forward {
  const opened = record?.opened ?? Date.now();
  return { upstream, record: () => ({ opened }), settled: () => void (settled += 1) };
}

/** PEM: the client's side is of TLS. */
const tls = process.argv[2] === undefined ? undefined : (JSON.parse(process.argv[2]) as { cert: string; key: string });

const plane = createDataPlane({
  timeouts: completeTimeouts({}),
  limits: trustingLimits({}),
  failureResponse: (failure) => ({ status: 502, body: failure }),
  ledger,
  ...(tls && { tls: { ...tls, isHandedOver: true } }),
  isPumping: () => true,
  route: () => ({ forward: forward() }),
  resumeForward: (record) => forward(record as { opened: number }),
  faulted: (error) => void lines.push({ message: String((error as Error).stack) }),
});

let kill: Extract<ToGeneration, { do: 'killAt' }> | undefined;
let seen = 0;
/** Those that the kernel has: `Generation.offersLeft` reads it when this process has killed itself. */
let offersLeft = 0;
/** Other processes of the hand-over that are gone. */
let ends = 0;

/** @returns what to call behind the message */
function pass({ is }: { readonly is?: string }): () => void {
  if (kill === undefined || is !== kill.is) return () => undefined;
  seen += 1;
  const isIt = seen === kill.nth;
  const end = () => {
    writeFileSync(`${__filename}.${process.pid}`, String(offersLeft));
    process.kill(process.pid, kill!.signal ?? 'SIGKILL');
  };
  if (isIt && kill.when === 'before') end();
  return () => isIt && kill?.when === 'behind' && end();
}

/** Every message, sent or received, passes here. */
const { send, start } = HandlePipe.prototype;
HandlePipe.prototype.send = function (this: HandlePipe, message: PipeMessage, left?: () => void) {
  const behind = pass(message.data);
  send.call(this, message, () => {
    if ((message.data as { is: string }).is === 'offer') offersLeft += 1;
    behind();
    left?.();
  });
};
HandlePipe.prototype.start = function (this: HandlePipe, user) {
  start.call(this, user);
  let current = user;
  const watched: typeof user = {
    onMessage: (message) => {
      const behind = pass(message.data);
      current.onMessage(message);
      behind();
    },
    onEnd: () => {
      current.onEnd();
      ends += 1;
    },
    onFault: (error) => current.onFault(error),
  };
  Object.defineProperty(this, 'user', { get: () => watched, set: (next: typeof user) => (current = next) });
};

let handOver: HandOver | undefined;

async function follow(order: ToGeneration): Promise<unknown> {
  switch (order.do) {
    case 'serve':
      upstream = { ...upstream, port: order.upstreamPort, protocol: order.isUpstreamTls === true ? 'https' : 'http' };
      // What was accepted on Node's streams would stay: a busy machine may need several attempts to see that it need not.
      while ((await fastPath.start(), fastPath.verdict.result) === 'untried')
        await new Promise<void>((resolve) => fastPath.watch(() => resolve()));
      if (order.isUntried === true) fastPath.verdict = { result: 'untried', why: 'as on a machine that is too busy' };
      return plane.listen({ host: '127.0.0.1', port: 0 });
    case 'receive':
      await plane.handing.ready();
      return (await Receiver.listen(plane.handing, log)).address;
    case 'handOver': {
      await plane.stopAccepting();
      plane.setDraining(true);
      await plane.handing.ready();
      handOver = new HandOver(order.addresses, { plane, clock: SYSTEM_CLOCK, log });
      return handOver?.swept;
    }
    case 'hold':
      return plane.setHolding(order.isHolding);
    case 'drain':
      return plane.setDraining(order.isDraining);
    case 'closeAll':
      return Promise.all([...ledger.closables(order.kind ?? 'websocket')].map((one) => one.close()));
    case 'askToLeave':
      return plane.askPumpedToLeave(order.count);
    case 'killAt':
      kill = order;
      return undefined;
    case 'report':
      return {
        active: ledger.active,
        ended: ledger.ended,
        bytes: ledger.bytes,
        oldestMs: ledger.oldestMs(performance.now()),
        figures: handOver?.figures,
        settled,
        rssBytes: process.memoryUsage.rss(),
        pumped: plane.pumped,
        ends,
        lines,
      };
  }
}

process.on('message', ({ id, order }: { id: number; order: ToGeneration }) => {
  void follow(order).then(
    (value) => process.send!({ id, value }),
    (error: unknown) => process.send!({ id, error: String((error as Error).stack) }),
  );
});
process.on('disconnect', () => process.exit());
