import { Command, InvalidArgumentError } from 'commander';
import { showUrl } from '../../check/target';
import { WebSocketPlan, checkWebSocket } from '../../check/websocket';
import {
  CloseSeen,
  HandshakeSeen,
  IdleSeen,
  StepSeen,
  TlsSeen,
  WebSocketSeen,
  judgeWebSocket,
} from '../../core/check/websocket';
import { formatMs, roundMs } from '../../core/check/verdict';
import { wholeNumberFrom } from '../shared/numbers';
import { WebSocketFlags, expectationFrom, msFrom, readTarget, withSubprotocols, withTarget } from './flags';
import { runCheck, withExits } from './run-check';

interface OneFlags extends WebSocketFlags {
  readonly idle?: number;
  readonly expect: WebSocketPlan['expectation'];
  readonly message: string;
  readonly maxHandshake?: number;
  readonly maxRoundTrip?: number;
  readonly minCertificateDays: number;
}

const MAX_IDLE_MS = 6 * 3_600_000;

/** Adds `check websocket`. */
export function addWebSocketCheck(check: Command, done: (exitCode: number) => void): void {
  const command = check
    .command('websocket')
    .description('open one WebSocket, and time each step: TLS, handshake, echo, ping, silence, close');
  withSubprotocols(withTarget(command, ['ws', 'wss']))
    .option('--idle <time>', 'stay silent for so long: does an idle timeout close it?', msFrom(1, MAX_IDLE_MS))
    .option('--message <text>', 'the message that is sent', 'drainshift check {n}')
    .option(
      '--expect <what>',
      'its response: echo, any (the next message), where its JSON has the number (/message_id), or none (send no message)',
      readExpectation,
      'echo',
    )
    .option('--max-handshake <time>', 'how long the handshake may take', msFrom(1, 600_000))
    .option('--max-round-trip <time>', 'how long the echo and the Pong may take', msFrom(1, 600_000))
    .option(
      '--min-certificate-days <number>',
      'how long the certificate must be valid from now on',
      wholeNumberFrom(0, 3_650),
      0,
    );
  withExits(command).action(async (flags: OneFlags) => done(await run(flags)));
}

function readExpectation(text: string): WebSocketPlan['expectation'] {
  if (text === 'none') return text;
  try {
    return expectationFrom(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message.replace('echo, any,', 'echo, any, none,'));
  }
}

function run(flags: OneFlags): Promise<number> {
  const {
    idle: idleMs = 0,
    expect: expectation,
    message,
    maxHandshake,
    maxRoundTrip,
    minCertificateDays,
    url,
    json,
  } = flags;
  const rules = {
    ...(maxHandshake !== undefined && { maxHandshakeMs: maxHandshake }),
    ...(maxRoundTrip !== undefined && { maxRoundTripMs: maxRoundTrip }),
    minDaysLeft: minCertificateDays,
  };
  const plan = { expectation, message, idleMs };
  return runCheck('websocket', { url: showUrl(url), json }, async ({ signal, progress, print }) => {
    const seen = await checkWebSocket(readTarget(flags), plan, signal, progress, (name, step) => {
      if (!json) print(describeStep(name, step));
    });
    return { figures: { steps: roundSteps(seen) }, lines: [], judgement: judgeWebSocket(seen, rules, signal.aborted) };
  });
}

function roundSteps(seen: WebSocketSeen): object {
  const steps = Object.entries(seen) as readonly [string, StepSeen][];
  return Object.fromEntries(steps.map(([name, step]) => [name, { ...step, ms: roundMs(step.ms) }]));
}

/** A step, with what is worth to know of it. */
function describeStep(name: keyof WebSocketSeen, step: StepSeen): string {
  const details = step.problem ?? DETAILS[name]?.(step as never) ?? '';
  return `${name.padEnd(13)}  ${formatMs(step.ms).padStart(10)}  ${details}`.trimEnd();
}

const DETAILS: { readonly [Name in keyof WebSocketSeen]?: (step: never) => string } = {
  tls: (tls: TlsSeen) => {
    const trust = tls.untrusted === undefined ? '' : `, NOT TRUSTED: ${tls.untrusted}`;
    return `${tls.protocol}, ${tls.cipher}, certificate of ${tls.subject} by ${tls.issuer} until ${tls.validTo} (${tls.daysLeft} days)${trust}`;
  },
  handshake: ({ status, subprotocol = 'none', extensions = 'none' }: HandshakeSeen) =>
    `${status}, subprotocol ${subprotocol}, extensions ${extensions}`,
  idle: ({ serverPings, messages }: IdleSeen) =>
    serverPings + messages === 0
      ? 'still open, and silent'
      : `still open; the server sent ${serverPings} pings and ${messages} messages meanwhile`,
  close: ({ code }: CloseSeen) => `closed with ${code}`,
};
