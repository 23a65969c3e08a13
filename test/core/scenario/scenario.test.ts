import { CutoverError } from '../../../core/errors/errors';
import { listEntries, parseScenario, requestsPerVisit } from '../../../core/scenario/scenario';

const PAGE = { path: '/' };

function problems(scenario: unknown): string[] {
  try {
    parseScenario(scenario);
    return [];
  } catch (error) {
    if (error instanceof CutoverError && error.code === 'ScenarioInvalid') return error.message.split('\n');
    throw error;
  }
}

const step = (over: object) => problems({ requests: [{ ...PAGE, ...over }] });
const webSocket = (over: object) => problems({ requests: [PAGE], webSockets: [{ path: '/ws', ...over }] });
const stream = (over: object) => problems({ requests: [PAGE], streams: [{ path: '/chat', ...over }] });

const SAVED = { json: '/a' };
const missing = (name: string, known: string, variable: string, savedIn: string) =>
  `'${name}' must be a text with no variables but ${known}, which have a value by then (${variable} is saved in ${savedIn}) ($\${ stands for \${), got "\${${variable}}"`;

test('one request is a scenario', () => {
  const scenario = parseScenario({ requests: [PAGE] });
  expect(scenario).toMatchObject({ requestsPerSecond: 100, clients: 50, start: [], webSockets: [] });
  expect(scenario.journeys).toMatchObject([
    { weight: 1, steps: [{ name: 'GET /', method: 'GET', headers: {}, expect: { status: 200 }, save: {} }] },
  ]);
});

test('every entry has a name of its own', () => {
  const scenario = parseScenario({
    start: [{ path: '/login', method: 'POST' }],
    requests: [{ path: '/a?b=secret' }, { path: '/a' }, { path: '/b', name: 'GET /a' }],
    journeys: [{ name: 'buy', steps: [{ path: '/a' }] }, { steps: [{ path: '/c' }] }],
    webSockets: [{ path: '/ws' }],
    eventStreams: [{ path: '/events' }],
    streams: [{ path: '/chat' }],
  });
  expect(listEntries(scenario).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'request start: POST /login',
    'request GET /a',
    'request GET /a (2)',
    'request GET /a (3)',
    'request buy: GET /a',
    'request GET /c',
    'webSocket GET /ws',
    'eventStream GET /events',
    'stream POST /chat',
  ]);
});

test('a visit is what each client does first, and one journey by its weight', () => {
  const steps = [PAGE, PAGE, PAGE];
  expect(
    requestsPerVisit(parseScenario({ start: [PAGE], requests: [{ ...PAGE, weight: 3 }], journeys: [{ steps }] })),
  ).toBe(1 + (3 * 1 + 1 * 3) / 4);
});

test.each<[string, readonly string[], readonly string[]]>([
  [
    'no request',
    problems({}),
    [
      "'scenario' must be with at least one of 'requests' and 'journeys', because a stage is judged by its requests, got \"none\"",
    ],
  ],
  [
    'an empty journey',
    problems({ journeys: [{}] }),
    ["'journeys[0].steps' must be a list of at least one request, got []"],
  ],
  [
    'an unknown field',
    step({ url: '/' }),
    [expect.stringMatching(/^'requests\[0\]\.url' must be one of name, method, path, .*, got "url"$/) as string],
  ],
  [
    'two bodies',
    step({ method: 'POST', body: 'a', json: 1 }),
    ['\'requests[0]\' must be a request with one of body, json, form, got "body, json"'],
  ],
  [
    'a body of HEAD',
    step({ method: 'HEAD', body: 'a' }),
    ['\'requests[0]\' must be a request without a body for HEAD, got "body"'],
  ],
  [
    'a path without a slash',
    step({ path: 'a' }),
    ["'requests[0].path' must be a path that starts with '/' and has neither a space nor a '#', got \"a\""],
  ],
  [
    'a header of the connection',
    step({ headers: { CoNNection: 'close' } }),
    [expect.stringContaining("'requests[0].headers.CoNNection' must be an object of header fields") as string],
  ],
  [
    'a cookie as a header',
    step({ headers: { Cookie: 'a=b' } }),
    [expect.stringContaining('without those that a client sets itself') as string],
  ],
  [
    'a line in a header',
    step({ headers: { a: 'b\r\nc: d' } }),
    ['\'requests[0].headers.a\' must be a text without control characters, got "b\\r\\nc: d"'],
  ],
  [
    'a wrong expression',
    step({ expect: { matches: '(' } }),
    ['\'requests[0].expect.matches\' must be a regular expression of JavaScript, got "("'],
  ],
  [
    'a variable in an expression, in which it is none',
    step({ expect: { matches: 'Hello user-${client}<' } }),
    [
      '\'requests[0].expect.matches\' must be a regular expression of JavaScript without variables, which text and json may have, got "${client}"',
    ],
  ],
  [
    'a status of no response',
    step({ expect: { status: 101 } }),
    ["'requests[0].expect.status' must be an integer from 200 to 599, got 101"],
  ],
  [
    'two places of a value',
    step({ save: { a: { json: '/a', header: 'a' } } }),
    ['\'requests[0].save.a\' must be an object with one of json, matches, header, cookie, got "json, header"'],
  ],
  [
    'no place of a value',
    step({ save: { a: {} } }),
    ["'requests[0].save.a' must be an object with one of json, matches, header, cookie, got nothing"],
  ],
  [
    'a variable that each client has',
    step({ save: { uuid: { json: '/a' } } }),
    ['\'requests[0].save.uuid\' must be another name than client, round, uuid, origin, got "uuid"'],
  ],
  [
    'a variable of no name',
    step({ save: { 'a b': { json: '/a' } } }),
    [expect.stringMatching(/^'requests\[0\]\.save\.a b' must be an object of variables/) as string],
  ],
  [
    'a variable that nothing saves',
    step({ json: { deep: ['${token}'] }, method: 'POST' }),
    [
      '\'requests[0].json\' must be a text with no variables but client, round, uuid, origin ($${ stands for ${), got "${token}"',
    ],
  ],
  [
    'a variable before it is saved',
    problems({
      start: [
        { path: '/${a}', save: { a: SAVED } },
        { ...PAGE, expect: { text: '${a} ${b}' }, save: { b: SAVED } },
      ],
    }).slice(1),
    [
      missing('start[0].path', 'client, round, uuid, origin', 'a', 'start[0]'),
      missing('start[1].expect.text', 'client, round, uuid, origin, a', 'b', 'start[1]'),
    ],
  ],
  [
    'a variable of another journey, of a later step, or of a request that stands alone',
    problems({
      requests: [{ ...PAGE, save: { a: SAVED } }, { path: '/${b}' }],
      journeys: [
        { steps: [{ path: '/${a}' }, { ...PAGE, save: { b: SAVED } }, { path: '/${b}' }] },
        { steps: [{ path: '/${b}' }] },
      ],
    }),
    [
      missing('requests[1].path', 'client, round, uuid, origin', 'b', 'journeys[0].steps[1]'),
      missing('journeys[0].steps[0].path', 'client, round, uuid, origin', 'a', 'requests[0]'),
      missing('journeys[1].steps[0].path', 'client, round, uuid, origin', 'b', 'journeys[0].steps[1]'),
    ],
  ],
  [
    'a variable that only a journey saves, in what has a connection of its own',
    problems({
      requests: [{ ...PAGE, save: { a: SAVED } }],
      webSockets: [{ path: '/ws', opening: [{ send: { token: ['x ${a}'] } }] }],
      eventStreams: [{ path: '/e?t=${a}' }],
      streams: [{ path: '/s', headers: { x: '${a}' } }],
    }),
    ['webSockets[0].opening[0].send', 'eventStreams[0].path', 'streams[0].headers.x'].map((name) =>
      missing(name, 'client, round, uuid, origin', 'a', 'requests[0]'),
    ),
  ],
  [
    'an expression without a group, where its group is saved',
    step({ save: { a: { matches: 'a(?:b)\\(c\\)' } } }),
    [
      '\'requests[0].save.a.matches\' must be a regular expression of JavaScript with a group, whose match is saved, got "a(?:b)\\\\(c\\\\)"',
    ],
  ],
  [
    'a step that does nothing',
    webSocket({ script: [{}] }),
    ["'webSockets[0].script[0]' must be an object with send or expect, got {}"],
  ],
  [
    'a wrong expression of a message',
    webSocket({ opening: [{ expect: { matches: '[' } }] }),
    ['\'webSockets[0].opening[0].expect.matches\' must be a regular expression of JavaScript, got "["'],
  ],
  [
    'fewer at most than at least',
    stream({ expect: { minEvents: 3, maxEvents: 2 } }),
    ["'streams[0].expect.maxEvents' must be at least minEvents (3), got 2"],
  ],
  [
    'text for a list',
    problems({ requests: 'all' }),
    ['\'requests\' must be a list of at most 1000 requests, got "all"'],
  ],
  ['null for an object', step({ expect: null }), ["'requests[0].expect' must be an object, got null"]],
])('%s is rejected by name, rule and value', (_, found, expected) => {
  expect(found).toEqual(expected);
});

test.each<[string, readonly string[]]>([
  ['a text that only looks like a variable', step({ body: '$${token} $5 {a}', method: 'POST' })],
  [
    'what the step before it saves, and what the start saves, everywhere',
    problems({
      start: [{ ...PAGE, save: { a: SAVED } }, { path: '/${a}' }],
      requests: [{ path: '/${a}' }],
      journeys: [{ steps: [{ ...PAGE, save: { b: { matches: 'a|(b)' } } }, { path: '/${a}${b}${round}' }] }],
      webSockets: [{ path: '/${a}', script: [{ send: '${a}' }] }],
      eventStreams: [{ path: '/${a}', expect: { text: '${a}' } }],
      streams: [{ path: '/${a}' }],
    }),
  ],
  ['any message', webSocket({ script: [{ expect: {} }] })],
  ['null as the JSON', step({ expect: { json: null } })],
  ['what an expression has between braces', step({ expect: { matches: 'a\\${x}' } })],
])('%s is accepted', (_, found) => {
  expect(found).toEqual([]);
});
