import { oneLine } from '../text/one-line';
import type { Recorded } from './har';
import { MAX_MESSAGES, RecordedSteps, listPlayed, listUnsendable, nameEntry } from './har-steps';

/** What became of a recording. */
interface Recording {
  readonly all: readonly Recorded[];
  /** Of the host. */
  readonly recorded: readonly Recorded[];
  readonly host: string;
  /** Why entries of the host were left out, one each. */
  readonly reasons: readonly string[];
  readonly cut: { readonly beyondMaximum: number; readonly fromLogout: number };
  readonly usable: readonly Recorded[];
  readonly requests: readonly Recorded[];
  readonly longLived: readonly Recorded[];
  readonly startCount: number;
  readonly recording: RecordedSteps;
  readonly cookies: { readonly kept: readonly string[]; readonly left: readonly string[] };
}

const MAX_NAMES = 5;

/** What a person should know of it, in words, without a value of the recording. */
export function describeRecording(of: Recording): string[] {
  return [
    `${count(of.usable.length, 'entry', 'entries')} of ${of.host}${describeLeftOut(of)}`,
    ...describeCookies(of),
    ...describeStart(of),
    ...describeVariables(of.recording),
    ...describeGuesses(of.usable),
    ...describeMessages(of.longLived),
  ].map((note) => oneLine(note));
}

function describeLeftOut({ all, recorded, reasons, cut }: Recording): string {
  const others = all.filter((each) => !recorded.includes(each));
  const hosts = countBy(others.map(({ url }) => url.host));
  const left = [
    ...(others.length > 0 ? [`${others.length} of other hosts (${shorten([...hosts.keys()])})`] : []),
    ...[...countBy(reasons)].map(([why, times]) => `${times} ${why}`),
    ...(cut.beyondMaximum > 0 ? [`${cut.beyondMaximum} beyond the first 1,000`] : []),
    ...(cut.fromLogout > 0 ? [`${cut.fromLogout} from the logout on`] : []),
  ];
  return left.length > 0 ? `; left out: ${left.join(', ')}` : '';
}

function describeCookies({ cookies: { kept, left }, usable }: Recording): string[] {
  const hasCookies = usable.some(
    ({ headers, source }) => source.cookies.size > 0 || headers.some(([name]) => name.toLowerCase() === 'cookie'),
  );
  return [
    ...(kept.length > 0 ? [`each client has the recorded cookies ${kept.join(', ')}, whose values are secrets`] : []),
    ...(left.length > 0 ? [`left out, because no client can send them: the cookies ${shorten(left)}`] : []),
    // Of one request nothing follows.
    ...(hasCookies || usable.length < 2
      ? []
      : ['the recording has no cookies: Chromium leaves them out where it exports no sensitive data']),
  ];
}

function describeStart({ startCount, longLived, requests }: Recording): string[] {
  if (startCount > 0) {
    return [
      `each client does the first ${count(startCount, 'request', 'requests')} once, which log in or bring tokens`,
    ];
  }
  const isAnonymous = longLived.length > 0 && requests.some(({ method }) => method === 'POST');
  return isAnonymous ? ["WebSockets and streams come without a login: let 'start' log in, if they need one"] : [];
}

function describeVariables({ variables, literalSecrets }: RecordedSteps): string[] {
  const names = variables.map(({ name }) => name);
  return [
    ...(names.length > 0 ? [`taken from an earlier response in each run: ${shorten(names)}`] : []),
    ...(literalSecrets.size > 0
      ? [`secrets that stay as they were recorded, and may have ended since: ${shorten([...literalSecrets])}`]
      : []),
  ];
}

function describeGuesses(usable: readonly Recorded[]): string[] {
  const unsure = usable.filter(({ mayHaveBody }) => mayHaveBody).map(({ method, url }) => nameEntry(method, url));
  const unsendable = usable.flatMap(listUnsendable);
  return [
    ...(unsure.length > 0 ? [`sent without a body, of which the recording says nothing: ${shorten(unsure)}`] : []),
    ...(unsendable.length > 0
      ? [`left out, because no client can send them: the header fields ${shorten([...new Set(unsendable)])}`]
      : []),
  ];
}

function describeMessages(longLived: readonly Recorded[]): string[] {
  return longLived.flatMap(({ method, url, messages }) => {
    const rest = messages.length - listPlayed(messages).length;
    if (rest === 0) return [];
    const isBinary = messages.slice(0, MAX_MESSAGES).some(({ isSent, text }) => isSent && text === undefined);
    const why = isBinary ? 'from the first binary one on' : `beyond the first ${MAX_MESSAGES}`;
    return [`${nameEntry(method, url)}: ${count(rest, 'message', 'messages')} left out, ${why}`];
  });
}

function shorten(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return `${names.slice(0, MAX_NAMES).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function countBy(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
