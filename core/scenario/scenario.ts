import { FromFile, Problems } from '../validation/problems';
import { FieldValues, readFields } from '../validation/fields';
import { SCENARIO_FIELDS } from './fields';
import { BUILT_IN, listVariables } from './variables';

type Read = FieldValues<typeof SCENARIO_FIELDS>;
type Named<T> = Omit<T, 'name'> & { readonly name: string };

/** A request with what its right response has. */
export type Step = Named<Read['start'][number]>;
export type ScriptStep = Read['webSockets'][number]['script'][number];
export type ScriptedWebSocket = Named<Read['webSockets'][number]>;
export type WatchedStream = Named<Read['eventStreams'][number]>;
export type AskedStream = Named<Read['streams'][number]>;

/** Requests that one client sends one after the other. */
export interface Journey {
  readonly weight: number;
  readonly steps: readonly Step[];
}

/** What the clients of a rehearsal do. Every entry has a name of its own. */
export interface Scenario {
  readonly requestsPerSecond: number;
  readonly clients: number;
  /** That a client has when it comes. */
  readonly cookies: Readonly<Record<string, string>>;
  readonly start: readonly Step[];
  readonly journeys: readonly Journey[];
  readonly webSockets: readonly ScriptedWebSocket[];
  readonly eventStreams: readonly WatchedStream[];
  readonly streams: readonly AskedStream[];
}

/** What a report counts by itself. */
export interface ScenarioEntry {
  readonly name: string;
  readonly kind: 'request' | 'webSocket' | 'eventStream' | 'stream';
}

export function listEntries({ start, journeys, webSockets, eventStreams, streams }: Scenario): ScenarioEntry[] {
  const entries = (kind: ScenarioEntry['kind'], each: readonly { name: string }[]) =>
    each.map(({ name }) => ({ name, kind }));
  return [
    ...entries('request', [...start, ...journeys.flatMap(({ steps }) => steps)]),
    ...entries('webSocket', webSockets),
    ...entries('eventStream', eventStreams),
    ...entries('stream', streams),
  ];
}

export function countClients(entries: readonly { readonly clients: number }[]): number {
  return entries.reduce((sum, { clients }) => sum + clients, 0);
}

/** How many requests a visitor sends who comes and leaves after one journey, on average. */
export function requestsPerVisit({ start, journeys }: Scenario): number {
  const weights = journeys.reduce((sum, { weight }) => sum + weight, 0);
  return start.length + journeys.reduce((sum, { weight, steps }) => sum + (weight * steps.length) / weights, 0);
}

/**
 * Reads a scenario out of JSON; every absent part has a default.
 *
 * @param file where a name (`requests[0].path`) is in the file, and how its value is written there
 * @throws CutoverError `ScenarioInvalid` with one line a problem
 */
export function parseScenario(value: unknown, file: FromFile = {}): Scenario {
  const problems = new Problems(undefined, file);
  const read: Read = readFields(problems, 'scenario', value, SCENARIO_FIELDS, '');
  checkAll(problems, read);
  problems.throwIfAny('ScenarioInvalid');
  return named(read);
}

function checkAll(problems: Problems, read: Read): void {
  const isRead = !problems.isAbout('requests') && !problems.isAbout('journeys');
  if (read.requests.length === 0 && read.journeys.length === 0 && isRead) {
    const rule = "with at least one of 'requests' and 'journeys', because a stage is judged by its requests";
    problems.add('scenario', rule, 'none');
  }
  read.journeys.forEach(({ steps }, index) => {
    if (steps.length === 0 && !problems.isAbout(`journeys[${index}].steps`))
      problems.add(`journeys[${index}].steps`, 'a list of at least one request', steps);
  });
  for (const [name, step] of listSteps(read)) checkStep(problems, name, step);
  read.streams.forEach((stream, index) => checkStream(problems, `streams[${index}]`, stream));
  read.eventStreams.forEach(({ expect }, index) =>
    checkForm(problems, `eventStreams[${index}].expect.matches`, expect.matches),
  );
  read.webSockets.forEach((webSocket, index) => checkWebSocket(problems, `webSockets[${index}]`, webSocket));
  checkVariables(problems, read);
}

type RawStep = Read['start'][number];

function listSteps({ start, requests, journeys }: Read): [name: string, step: RawStep][] {
  const steps = (name: string, list: readonly RawStep[]) =>
    list.map((step, index): [string, RawStep] => [`${name}[${index}]`, step]);
  return [
    ...steps('start', start),
    ...steps('requests', requests),
    ...journeys.flatMap((journey, index) => steps(`journeys[${index}].steps`, journey.steps)),
  ];
}

function checkStep(problems: Problems, name: string, step: RawStep): void {
  checkBody(problems, name, step);
  checkForm(problems, `${name}.expect.matches`, step.expect.matches);
  for (const [variable, saved] of Object.entries(step.save)) {
    const at = `${name}.save.${variable}`;
    const given = Object.entries(saved).filter(([, where]) => where !== undefined).map(([where]) => where); // prettier-ignore
    if (given.length !== 1 && !problems.isAbout(at))
      problems.add(at, 'an object with one of json, matches, header, cookie', given.join(', ') || undefined);
    if ((BUILT_IN as readonly string[]).includes(variable))
      problems.add(at, `another name than ${BUILT_IN.join(', ')}`, variable);
    checkForm(problems, `${at}.matches`, saved.matches, 'group');
  }
}

function checkBody(
  problems: Problems,
  name: string,
  { method, body, json, form }: Pick<RawStep, 'method' | 'body' | 'json' | 'form'>,
): void {
  const given = [['body', body], ['json', json], ['form', Object.keys(form).length > 0 ? form : undefined]].filter(([, value]) => value !== undefined).map(([what]) => what); // prettier-ignore
  if (given.length > 1) problems.add(name, 'a request with one of body, json, form', given.join(', '));
  if (given.length > 0 && method === 'HEAD') problems.add(name, 'a request without a body for HEAD', given.join(', '));
}

function checkStream(problems: Problems, name: string, stream: Read['streams'][number]): void {
  checkBody(problems, name, stream);
  const { minEvents, maxEvents, last } = stream.expect;
  const isRead = !problems.isAbout(`${name}.expect.minEvents`) && !problems.isAbout(`${name}.expect.maxEvents`);
  if (maxEvents < minEvents && isRead)
    problems.add(`${name}.expect.maxEvents`, `at least minEvents (${minEvents})`, maxEvents);
  checkForm(problems, `${name}.expect.last.matches`, last.matches);
}

function checkWebSocket(problems: Problems, name: string, { opening, script }: Read['webSockets'][number]): void {
  for (const [part, steps] of Object.entries({ opening, script })) {
    steps.forEach(({ send, expect }, index) => {
      const at = `${name}.${part}[${index}]`;
      if (send === undefined && expect === undefined && !problems.isAbout(at))
        problems.add(at, 'an object with send or expect', {});
      checkForm(problems, `${at}.expect.matches`, expect?.matches);
    });
  }
}

function checkForm(problems: Problems, name: string, form: string | undefined, part?: 'group'): void {
  if (form === undefined) return;
  const groups = countGroups(form);
  const rule = 'a regular expression of JavaScript';
  const [variable] = listVariables(form.replaceAll(/\\./gs, ''));
  if (groups === undefined) problems.add(name, rule, form);
  // As an expression it would match nothing, and be no variable.
  else if (variable !== undefined)
    problems.add(name, `${rule} without variables, which text and json may have`, `\${${variable}}`);
  else if (part === 'group' && groups === 0) problems.add(name, `${rule} with a group, whose match is saved`, form);
}

/** @returns undefined of what is no expression */
function countGroups(form: string): number | undefined {
  try {
    new RegExp(form, 's');
    // With an empty alternative it matches anything, and its match has a place for each group.
    return (new RegExp(`${form}|`, 's').exec('')?.length ?? 1) - 1;
  } catch {
    return undefined;
  }
}

/**
 * Each variable must have a value when it is sent or compared. What nothing brings before is a slip of the pen, or a text that needs
 * `$${`. A client with a connection of its own goes through `start` alone; journeys may come in any order.
 */
function checkVariables(problems: Problems, read: Read): void {
  const check = (name: string, value: unknown, known: Known) =>
    checkTexts(name, value, (at, text) => {
      for (const variable of listVariables(text)) {
        if (known === 'unread' || known.includes(variable)) continue;
        const rule = `a text with no variables but ${known.join(', ')}${whereElse(read, variable)} ($\${ stands for \${)`;
        problems.add(at, rule, `\${${variable}}`);
      }
    });
  const checkSteps = (name: string, steps: readonly RawStep[], before: Known) =>
    steps.reduce<Known>((known, step, index) => {
      check(`${name}[${index}]`, step, known);
      if (known === 'unread' || problems.isAbout(`${name}[${index}].save`)) return 'unread';
      return [...new Set([...known, ...Object.keys(step.save)])];
    }, before);
  const started =
    problems.isAbout('start') && read.start.length === 0 ? 'unread' : checkSteps('start', read.start, BUILT_IN);
  read.requests.forEach((step, index) => check(`requests[${index}]`, step, started));
  read.journeys.forEach(({ steps }, index) => checkSteps(`journeys[${index}].steps`, steps, started));
  const { webSockets, eventStreams, streams } = read;
  for (const [name, entries] of Object.entries({ webSockets, eventStreams, streams })) check(name, entries, started);
}

/** The variables that have a value by then. What is wrong where they are saved may bring others. */
type Known = readonly string[] | 'unread';

/** Where it is saved, and of no use. */
function whereElse(read: Read, variable: string): string {
  const found = listSteps(read).find(([, { save }]) => Object.hasOwn(save, variable));
  return found ? `, which have a value by then (${variable} is saved in ${found[0]})` : '';
}

/** Values of JSON are checked whole, expressions not at all. */
function checkTexts(name: string, value: unknown, check: (name: string, value: unknown) => void): void {
  if (typeof value === 'string') return check(name, value);
  if (Array.isArray(value)) return value.forEach((item, index) => checkTexts(`${name}[${index}]`, item, check));
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value)) {
    const at = name === '' ? key : `${name}.${key}`;
    if (key === 'json' || key === 'send') check(at, item);
    else if (key !== 'matches' && key !== 'save') checkTexts(at, item, check);
  }
}

/** Names that are left out are those of the request, and one that is there twice is numbered. */
function named({ requests, journeys, start, webSockets, eventStreams, streams, ...rest }: Read): Scenario {
  const taken = new Set<string>();
  const unique = (wanted: string): string => {
    let name = wanted;
    for (let n = 2; taken.has(name); n += 1) name = `${wanted} (${n})`;
    taken.add(name);
    return name;
  };
  const nameAll = <T extends { readonly name: string | undefined; readonly path: string; readonly method?: string }>(
    items: readonly T[],
    before = '',
  ) =>
    items.map((item) => ({
      ...item,
      name: unique(`${before}${item.name ?? `${item.method ?? 'GET'} ${item.path.split('?')[0]}`}`),
    }));
  return {
    ...rest,
    start: nameAll(start, 'start: '),
    journeys: [
      ...nameAll(requests).map((step) => ({ weight: step.weight, steps: [step] })),
      ...journeys.map(({ name, weight, steps }) => ({
        weight,
        steps: nameAll(steps, name === undefined ? '' : `${name}: `),
      })),
    ],
    webSockets: nameAll(webSockets),
    eventStreams: nameAll(eventStreams),
    streams: nameAll(streams),
  };
}
