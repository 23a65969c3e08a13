import { countMoved, listMoves } from '../../core/cutover/describe-moves';
import { describePace } from '../../core/cutover/pacing';
import { findDirection } from '../../core/plan/direction';
import { CONNECTION_KINDS, KIND_FACTS, NO_CONNECTIONS, StreamKind } from '../../core/proxy/connections';
import type { HookCallRecord } from '../../core/switch/hook';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { formatBytes } from '../../core/text/bytes';
import { printableLine } from '../../core/text/printable';
import { formatWeights } from '../../core/traffic/weights';
import type { OwnClientsTally } from '../load-balancer/counting/own-clients';
import type { RecoveryEvidence } from '../cloud/recovery';
import { AdoptionEvidence, RedeployEvidence, RehearsalEvidence, wasNeverTried } from './evidence';
import type { CaptureSeen } from './capture-seen';
import { hopsLine } from './hops';
import { describeLostSession, findLostSessions } from './lost-sessions';
import { scenarioFacts } from './scenario-seen';
import { recordingFacts } from './recording-seen';
import { switchLine } from './switch-seen';
import { listTraceFaults } from './trace-faults';
import type { EntryTally } from '../traffic/counting/entries';
import type { MachineTally } from '../traffic/counting/tally';
import { lossLine, reachVerdict } from './verdict';

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
const gap = ({ longestGapMs }: { longestGapMs: number }) => seconds(longestGapMs);
const number = (value: number) => value.toLocaleString('en-US');

/** A summary to paste into a ticket: plain text, one fact a line. */
export function summarize(evidence: RehearsalEvidence): string {
  return [
    `drainshift rehearsal: ${headline(evidence)}`,
    ...listFacts(evidence).map(([name, text]) => `  ${name.padEnd(10)} ${printableLine(text)}`),
    ...[...listTraceFaults(evidence), ...findFailures(evidence)].map((line) => `  ! ${printableLine(line)}`),
  ].join('\n');
}

/** The first of each. */
function findFailures({ traffic, ownClients, switchSeen }: RehearsalEvidence): string[] {
  const ofWrites = switchSeen?.writes.faults ?? [];
  return [ofWrites, traffic.failures, ownClients?.failures ?? []].flatMap((each) => each.slice(0, 5));
}

function headline(evidence: RehearsalEvidence): string {
  const { outcome, durationSeconds, rehearsal } = evidence;
  const lasted = `${durationSeconds.toFixed(1)} s (${rehearsal.seconds.toFixed(1)} s with start-up)`;
  return `${outcome} in ${lasted}, ${lossLine(reachVerdict(evidence))}`;
}

/** Name and text of what a person wants to know, in their order. */
export function listFacts(evidence: RehearsalEvidence): [string, string][] {
  const { http, websocket, serverSentEvents, streaming } = evidence.traffic;
  const moved = (kind: StreamKind) => countMoved(evidence, kind) ?? 'an unknown number';
  const lines: [string, string][] = [
    ['cutover', cutover(evidence)],
    [
      'http',
      `${number(http.sent)} requests, ${number(http.failed)} failed, p50 ${http.p50Ms.toFixed(1)} ms, p99 ${http.p99Ms.toFixed(1)} ms, longest stall ${seconds(http.longestStallMs)}` +
        (http.unsent > 0 ? `; ${number(http.unsent)} were due and never sent` : ''),
    ],
    [
      'websocket',
      `${number(websocket.opened)} opened, ${number(websocket.sent)} messages, ${websocket.lost} lost, ${websocket.duplicated} doubled, ` +
        `${websocket.outOfOrder} out of order, ${websocket.dropped} dropped, ${moved('websocket')} moved, ${websocket.closedByServer} closed, longest gap ${gap(websocket)}, longest stall ${seconds(websocket.longestStallMs)}`,
    ],
    [
      'sse',
      `${number(serverSentEvents.opened)} opened, ${number(serverSentEvents.events)} events, ${serverSentEvents.lost} lost, ${serverSentEvents.dropped} dropped, ${moved('serverSentEvents')} moved, ${serverSentEvents.endedByServer} ended, longest gap ${gap(serverSentEvents)}`,
    ],
    [
      'streaming',
      `${number(streaming.asked)} asked, ${number(streaming.whole)} whole responses, ${streaming.cut} cut, ${streaming.truncated} truncated, ${streaming.wrong} wrong, longest gap ${gap(streaming)}`,
    ],
    ['drain', drain(evidence)],
    ...moveFacts(evidence),
  ];
  const { switchSeen, switches = [] } = evidence;
  lines.push(...scenarioFacts(evidence.traffic.entries));
  lines.push(...recordingFacts(evidence.recordingSeen));
  lines.push(...sessionFacts(evidence.traffic.entries));
  if (switchSeen) lines.splice(1, 0, ['switch', switchLine(switchSeen, switches)]);
  lines.push(...listTransfers(switches), ...listHooks(evidence));
  if (evidence.ownClients && evidence.ownClients.requests > 0) lines.push(['yours', yours(evidence.ownClients)]);
  if (evidence.captureSeen) lines.push(['capture', captureLine(evidence.captureSeen)]);
  const machine = machineLine(evidence.traffic.machine);
  if (machine !== undefined) lines.push(['machine', machine]);
  const { adoption, redeploy, applicationSees } = evidence.rehearsal;
  lines.push(...faultFacts(evidence.rehearsal));
  if (applicationSees) lines.push(['app sees', hopsLine(applicationSees)]);
  if (adoption) lines.push(['adopted', adopted(adoption)]);
  if (redeploy) lines.push(['redeploy', redeployLine(redeploy)]);
  const recovery = evidence.rehearsal.recovery && recoveryLine(evidence.rehearsal.recovery);
  if (recovery !== undefined) lines.push(['recovery', recovery]);
  if (evidence.failure) lines.push(['because', `${evidence.failure.code}: ${evidence.failure.message}`]);
  if (evidence.rollback) lines.push(...rollbackFacts(evidence.rollback));
  return lines;
}

/** As the store has it: what the proxies counted is in the evidence, and compared with it. */
function captureLine({ stored, objects, messages = 0, refused, unrecorded, lost, store }: CaptureSeen): string {
  const parts = objects === undefined ? `${number(messages)} messages` : `${number(objects)} objects`;
  return `${number(stored)} requests recorded in ${parts} of ${store}, ${refused} rejected, ${unrecorded} unrecorded, ${lost} lost`;
}

/** Nothing of a cutover in which nothing could move. */
function moveFacts({ moves, plan }: RehearsalEvidence): [string, string][] {
  if (!moves) return [];
  const { from } = findDirection(plan);
  const [[, moved], ...others] = listMoves(moves, from) as [[string, string], ...[string, string][]];
  return [['moves', [`${moved} connections`, ...others.map(([name, text]) => `${name} ${text}`)].join('; ')]];
}

/** What each attempt took along, before the hold and in it. */
function listTransfers(switches: readonly SwitchRecord[]): [string, string][] {
  const lines = switches.flatMap(({ epoch, hook = [], left }) => {
    const [before, rest, compared] = (['prepare', 'transfer', 'verify'] as const).map((part) =>
      hook.find((each) => each.part === part),
    );
    if (!before) return [];
    const said = [
      `epoch ${epoch}: ${describeCopied(before)} before the hold`,
      ...(rest ? [`${describeCopied(rest)} in it`] : []),
      ...(compared ? [compared.problem ?? `both sides hold the same${countKeys(compared)}`] : []),
      ...(left ? [`what was copied may be left at the ${left}`] : []),
    ];
    return [said.join(', ')];
  });
  return lines.length === 0 ? [] : [['state', lines.join('; ')]];
}

function describeCopied({ bytes = 0, tookMs, problem, ...counted }: HookCallRecord): string {
  return `${formatBytes(bytes)}${countKeys(counted)} in ${number(tookMs)} ms${problem === undefined ? '' : ` (${problem})`}`;
}

function countKeys({ keys }: Pick<HookCallRecord, 'keys'>): string {
  return keys === undefined ? '' : ` (${number(keys)} keys)`;
}

/** How many passed, and each that did not. */
function listHooks({ hooks = [], hooksLeftOut = 0 }: RehearsalEvidence): [string, string][] {
  if (hooks.length === 0) return [];
  const others = hooks.filter(({ outcome }) => outcome !== 'passed');
  const passed = hooks.length - others.length + hooksLeftOut;
  const shown = others.map(({ name, when, stage, outcome, why, calls }) => {
    const place = stage === undefined ? when : `${when}, stage ${stage}`;
    const said = outcome === 'failed' ? `failed: ${why}` : 'said not yet';
    return `'${name}' (${place}) ${said}${calls === undefined ? '' : `, ${calls} ${calls === 1 ? 'call' : 'calls'}`}`;
  });
  return [['hooks', [`${passed} ${passed === 1 ? 'call' : 'calls'} passed`, ...shown].join('; ')]];
}

/** Sessions that a side did not know, entry by entry. */
function sessionFacts(entries: readonly EntryTally[] = []): [string, string][] {
  return findLostSessions(entries).map((lost) => ['session', describeLostSession(lost)]);
}

function rollbackFacts(rollback: NonNullable<RehearsalEvidence['rollback']>): [string, string][] {
  const line = rollbackLine(rollback);
  return [
    ...(line === undefined ? [] : [['rollback', line] satisfies [string, string]]),
    ...(rollback.pace ? [['pace', describePace(rollback.pace).join('; ')] satisfies [string, string]] : []),
  ];
}

function rollbackLine(rollback: NonNullable<RehearsalEvidence['rollback']>): string | undefined {
  const { secondsFromFirstBadResponse: all, secondsToVerdict } = rollback;
  if (all === undefined) return undefined;
  const verdict =
    secondsToVerdict === undefined
      ? ''
      : `: the verdict after ${secondsToVerdict.toFixed(1)} s, the weights read back ${(all - secondsToVerdict).toFixed(1)} s later`;
  return `initial weights restored ${all.toFixed(1)} s after the first bad response${verdict}`;
}

/** A second or two of a run are any machine's. */
const WORTH_A_WORD_MS = 5_000;

/** What this machine could not do, as against the target; undefined when there is nothing to say. */
export function machineLine({ minShare, notTried, standstillMs }: MachineTally): string | undefined {
  const percent = Math.max(1, Math.floor(100 * minShare));
  const said = [
    ...(minShare < 1
      ? [
          `the traffic was reduced to ${percent} % at the least, ${number(notTried)} requests and messages not tried: this machine could not carry more`,
        ]
      : []),
    ...(standstillMs >= WORTH_A_WORD_MS
      ? [`this machine was short of processor time for ${seconds(standstillMs)}; time limits leave that out`]
      : []),
  ];
  return said.length === 0 ? undefined : `${said.join('; ')}; latencies of this run say nothing about AWS`;
}

function faultFacts(rehearsal: RehearsalEvidence['rehearsal']): [string, string][] {
  const { fault, faultBeganSeconds = 0 } = rehearsal;
  if (fault === undefined) return [];
  const began = wasNeverTried(rehearsal)
    ? 'NEVER BEGAN: the cutover did not come to its phase'
    : `began ${faultBeganSeconds.toFixed(1)} s after the start`;
  return [['fault', `${fault} ${began}`]];
}

/** As the load balancer was told, whatever the cutover has on record. */
function cutover({ stages, finalWeights, rehearsal: { weights } }: RehearsalEvidence): string {
  const way = weights.map((change) => formatWeights(change.weights)).join(' → ');
  const unconfirmed = stages.filter(({ confirmed }) => !confirmed).map((stage) => formatWeights(stage.weights));
  return [
    weights.length > 1 ? way : 'no weight was changed',
    ...(unconfirmed.length > 0 ? [`not confirmed: ${unconfirmed.join(', ')}`] : []),
    `read back at the end: ${finalWeights ? formatWeights(finalWeights) : 'unknown'}`,
  ].join('; ');
}

const RECOVERIES: Readonly<Record<RecoveryEvidence['outcome'], string>> = {
  restored: 'recover put back what was left',
  nothingToDo: 'recover found nothing to put back',
  givenUp: 'recover WAS GIVEN UP: look at the weights and the lock',
  none: 'no rule of the template calls recover: NOTHING PUTS IT BACK',
};

/** What happened to an execution that ended past every Catch; undefined where there was nothing to do, as usual. */
function recoveryLine({ outcome, status, calls, seconds, error }: RecoveryEvidence): string | undefined {
  if (outcome === 'nothingToDo' && error === undefined && status === 'FAILED') return undefined;
  const howOften =
    calls === 0 ? '' : `, ${calls} ${calls === 1 ? 'call' : 'calls'}, ${seconds.toFixed(1)} s after its end`;
  const why = error === undefined ? '' : `; the last error: ${error}`;
  return `the execution ended as ${status}; ${RECOVERIES[outcome]}${howOften}${why}`;
}

function yours({ requests, failed, refused, left, statuses, webSockets }: OwnClientsTally): string {
  const byStatus = Object.entries(statuses).map(([status, count]) => `${status}: ${number(count)}`);
  const { opened, live, closed, dropped, timedOut } = webSockets;
  const leftThere = left + webSockets.left;
  const parts = [
    `${number(requests)} requests of your own clients${byStatus.length > 0 ? ` (${byStatus.join(', ')})` : ''}, ${number(failed)} failed`,
    `${number(opened)} WebSockets, ${number(closed)} closed in order, ${number(dropped)} dropped, ${number(live)} still open`,
    ...(refused > 0 ? [`${number(refused)} asked to come back`] : []),
    ...(leftThere > 0 ? [`${number(leftThere)} given up by the client`] : []),
    ...(timedOut > 0 ? [`${number(timedOut)} ended by the load balancer's idle timeout`] : []),
  ];
  return parts.join('; ');
}

function adopted({ percentages, sent, failed, isLossless }: AdoptionEvidence): string {
  const lost = isLossless ? '' : ', BUT SOMETHING WAS LOST';
  const way = ['0', ...percentages].join(' → ');
  return `${way} of 100 requests through the proxies, before the cutover; ${number(sent)} requests, ${number(failed)} failed${lost}`;
}

/** In one line; a rolled back one with its reason. */
export function redeployLine({ status, reason, applied, weightsBefore, weightsAfter }: RedeployEvidence): string {
  const changed = `${applied.length} resources changed${reason === undefined ? '' : ` (${reason})`}`;
  if (!weightsBefore || !weightsAfter) return `${status}, ${changed}`;
  return `${status}, ${changed}, weights ${formatWeights(weightsBefore)} before and ${formatWeights(weightsAfter)} after`;
}

function drain({ drain: { atStart, ...ended }, timeline, plan }: RehearsalEvidence): string {
  const { from } = findDirection(plan);
  const live = ended[from] ?? NO_CONNECTIONS;
  // Zeros of what was not measured are none.
  if (!timeline.some(({ state }) => state === 'Drain')) return 'not begun';
  const began = CONNECTION_KINDS.reduce((sum, kind) => sum + atStart[kind], 0);
  const left = CONNECTION_KINDS.reduce((sum, kind) => sum + live[kind], 0);
  const { completed, moved, closed, forced, lost, unknown, byKind } = ended;
  const rest = `${lost > 0 ? `, ${lost} lost with their task` : ''}${unknown > 0 ? `, ${unknown} unknown` : ''}`;
  return `${from} from ${began} live connections to ${left}: ${completed} by themselves, ${moved} moved, ${closed} closed, ${forced} forced${rest}${byKind ? describeKinds(byKind) : ''}`;
}

/** Those of which any ended; what is unknown of them says so. */
function describeKinds(byKind: NonNullable<RehearsalEvidence['drain']['byKind']>): string {
  const kinds = CONNECTION_KINDS.flatMap((kind) => {
    const end = byKind[kind];
    const parts = KIND_WORDS.flatMap(([name, word]) => (end[name] ? [`${end[name]} ${word}`] : []));
    return parts.length > 0 ? [`${KIND_FACTS[kind].short} ${parts.join(', ')}`] : [];
  });
  const isUnknown = KIND_WORDS.some(([name]) => byKind.http[name] === undefined);
  const shown = [...kinds, ...(isUnknown ? ['not all proxies said of which kind'] : [])];
  return shown.length > 0 ? ` (${shown.join('; ')})` : '';
}

const KIND_WORDS = [
  ['completed', 'by themselves'],
  ['moved', 'moved'],
  ['closed', 'closed'],
  ['forced', 'forced'],
  ['lost', 'lost'],
  ['unknown', 'unknown'],
] as const;
