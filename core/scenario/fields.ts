import type { Fields, IntegerField, ListField, MapField, ObjectField, TextField } from '../validation/fields';
import { requestPath } from '../validation/request-path';

/** What clients send by themselves; HTTP/2 has none of the first four. */
const OWN_HEADERS = [
  ...['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'host', 'content-length'],
  ...['expect', 'trailer', 'te', 'proxy-connection', 'http2-settings'],
  // A client keeps them.
  'cookie',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const MAX_ENTRIES = 1_000;
const LIST = { kind: 'list', min: 0, max: MAX_ENTRIES, default: [] } as const;
const ANYTHING = '';

/** Of what `save` names, and of what is between `${` and `}`. */
export const VARIABLE_PATTERN = '^[A-Za-z_][A-Za-z0-9_]*$';

const NAME_FIELD = {
  kind: 'text',
  pattern: '^[^\\x00-\\x1f]{1,100}$',
  rule: 'a name of 1 to 100 characters',
  isOptional: true,
  sentence: 'What reports call it; method and path without a query, when it is left out.',
} as const satisfies TextField;

const PATH_FIELD = {
  kind: 'text',
  ...requestPath(),
  sentence: 'The path, with a query if need be.',
} as const satisfies TextField;

const HEADERS_FIELD = {
  kind: 'map',
  // Tokens (RFC 9110 section 5.6.2), in any case.
  pattern: `^(?!(${OWN_HEADERS.map(ignoreCase).join('|')})$)[!#$%&'*+.^_\`|~0-9A-Za-z-]+$`,
  rule: 'an object of header fields and their texts, without those that a client sets itself (Cookie, Host, Content-Length, those of the connection)',
  sentence: 'Header fields to send. Each client keeps its cookies by itself.',
  item: {
    kind: 'text',
    // Visible characters, spaces and tabs (RFC 9110 section 5.5), in Latin-1 as Node writes it.
    pattern: '^[\\t -~\\x80-\\xff]*$',
    rule: 'a text without control characters',
    allowsNumber: true,
    sentence: 'The value.',
  },
} as const satisfies MapField;

/** A pattern for readers that have no flag for it. */
function ignoreCase(word: string): string {
  return word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
}

const CONTENT_FIELDS = {
  text: {
    kind: 'text',
    pattern: ANYTHING,
    rule: 'a text',
    isOptional: true,
    sentence: 'The whole text, exactly.',
  },
  json: {
    kind: 'json',
    sentence:
      'A part of the JSON: of an object the fields that are named here, of a list each item, of anything else the value.',
  },
  matches: {
    kind: 'text',
    pattern: ANYTHING,
    rule: 'a regular expression of JavaScript',
    isOptional: true,
    sentence: 'A regular expression that matches somewhere; a dot also matches the end of a line.',
  },
} as const satisfies Fields;

const BODY_FIELDS = {
  body: { kind: 'text', pattern: ANYTHING, rule: 'a text', isOptional: true, sentence: 'The body as a text.' },
  json: { kind: 'json', sentence: 'The body as JSON, with its content type.' },
  form: {
    kind: 'map',
    pattern: ANYTHING,
    rule: 'an object of names and texts',
    sentence: 'The body as fields of a form, with its content type.',
    item: { kind: 'text', pattern: ANYTHING, rule: 'a text', allowsNumber: true, sentence: 'The value.' },
  },
} as const satisfies Fields;

const STATUS_FIELD = {
  kind: 'integer',
  min: 200,
  max: 599,
  default: 200,
  sentence: 'The status; redirects are not followed.',
} as const satisfies IntegerField;

const REQUEST_FIELDS = {
  name: NAME_FIELD,
  method: { kind: 'choice', values: METHODS, default: 'GET', sentence: 'The method.' },
  path: PATH_FIELD,
  headers: HEADERS_FIELD,
  ...BODY_FIELDS,
  expect: {
    kind: 'object',
    sentence: 'What the right response has. All that is given must hold.',
    fields: {
      status: STATUS_FIELD,
      headers: { ...HEADERS_FIELD, sentence: 'Header fields with their exact values.' },
      ...CONTENT_FIELDS,
    },
  },
  save: {
    kind: 'map',
    pattern: VARIABLE_PATTERN,
    rule: 'an object of variables (letters, digits and _) and where each is found',
    sentence: 'Values of the response for the later requests of the client, where `${NAME}` stands for them.',
    item: {
      kind: 'object',
      sentence: 'Where it is found: one of the following.',
      fields: {
        json: {
          kind: 'text',
          // RFC 6901.
          pattern: '^(/|$)',
          rule: "a JSON pointer that starts with '/'",
          isOptional: true,
          sentence: 'At this JSON pointer: `/items/0/id`.',
        },
        matches: {
          kind: 'text',
          pattern: ANYTHING,
          rule: 'a regular expression of JavaScript with a group',
          isOptional: true,
          sentence: 'In the first group of this regular expression: `name="csrf" value="([^"]+)"`.',
        },
        header: {
          kind: 'text',
          pattern: '^[!-~]+$',
          rule: 'the name of a header field',
          isOptional: true,
          sentence: 'In this header field.',
        },
        cookie: {
          kind: 'text',
          pattern: '^[!-~]+$',
          rule: 'the name of a cookie',
          isOptional: true,
          sentence: 'In this cookie of the client.',
        },
      },
    },
  },
} as const satisfies Fields;

const WEIGHT_FIELD = {
  kind: 'integer',
  min: 1,
  max: 1_000,
  default: 1,
  sentence: 'How often it takes its turn, beside the weights of the others.',
} as const satisfies IntegerField;

const STEPS_FIELD = {
  ...LIST,
  rule: `a list of at most ${MAX_ENTRIES} requests`,
  sentence: 'Requests, one after the other.',
  like: 'requests[]',
  item: { kind: 'object', sentence: 'One request.', fields: REQUEST_FIELDS },
} as const satisfies ListField;

const CLIENTS_FIELD = {
  kind: 'integer',
  min: 1,
  max: 10_000,
  default: 5,
  unit: 'clients',
  sentence: 'How many clients there are, each with its own cookies.',
} as const satisfies IntegerField;

const SCRIPT_FIELD = {
  ...LIST,
  rule: `a list of at most ${MAX_ENTRIES} steps`,
  sentence: '',
  item: {
    kind: 'object',
    sentence: 'Sends a message, or waits for one, or first the one and then the other.',
    fields: {
      send: { kind: 'json', sentence: 'The message: a text as it stands, anything else as JSON.' },
      expect: {
        kind: 'object',
        isOptional: true,
        sentence: 'The message that must come next; `{}` is any message.',
        fields: CONTENT_FIELDS,
      },
      withinSeconds: {
        kind: 'number',
        min: 0.1,
        max: 600,
        default: 15,
        unit: 's',
        sentence: 'How long it may take to come.',
      },
    },
  },
} as const satisfies ListField;

const MESSAGE_FIELD = {
  kind: 'object',
  sentence: 'What it must be. All that is given must hold.',
  fields: CONTENT_FIELDS,
} as const satisfies ObjectField;

const WEB_SOCKETS_FIELD = {
  ...LIST,
  rule: `a list of at most ${MAX_ENTRIES} WebSockets`,
  sentence: 'WebSockets that stay open to the end, and are opened again after each end.',
  item: {
    kind: 'object',
    sentence: 'One kind of WebSocket.',
    fields: {
      name: NAME_FIELD,
      path: PATH_FIELD,
      headers: HEADERS_FIELD,
      subprotocol: {
        kind: 'text',
        pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        rule: 'the name of a subprotocol',
        isOptional: true,
        sentence: 'The subprotocol to ask for, and to get.',
      },
      clients: CLIENTS_FIELD,
      opening: { ...SCRIPT_FIELD, sentence: 'What happens once on each connection.' },
      script: { ...SCRIPT_FIELD, sentence: 'What happens then, again and again.', like: 'webSockets[].opening[]' },
      everySeconds: {
        kind: 'number',
        min: 0.01,
        max: 3600,
        default: 1,
        unit: 's',
        sentence: 'The pause between two rounds of the script.',
      },
      skipsOthers: {
        kind: 'boolean',
        default: false,
        sentence: 'Whether other messages may come before the expected one, as in a chat room.',
      },
    },
  },
} as const satisfies ListField;

const EVENT_STREAMS_FIELD = {
  ...LIST,
  rule: `a list of at most ${MAX_ENTRIES} event streams`,
  sentence: 'Streams that an EventSource reads to the end, and opens again after each end.',
  item: {
    kind: 'object',
    sentence: 'One kind of event stream.',
    fields: {
      name: NAME_FIELD,
      path: PATH_FIELD,
      headers: HEADERS_FIELD,
      clients: CLIENTS_FIELD,
      expect: { ...MESSAGE_FIELD, sentence: 'What the data of each event must be. All that is given must hold.' },
      maxSilenceSeconds: {
        kind: 'number',
        min: 0.1,
        max: 3600,
        default: 30,
        unit: 's',
        sentence: 'How long there may be no event.',
      },
      hasConsecutiveIds: {
        kind: 'boolean',
        default: false,
        sentence:
          'Whether the ids of the events go up by one, over all connections and both sides: then a lost event is found.',
      },
    },
  },
} as const satisfies ListField;

const STREAMS_FIELD = {
  ...LIST,
  rule: `a list of at most ${MAX_ENTRIES} streaming requests`,
  sentence: 'Requests whose response streams and is read to its end, as of a language model: events, or else lines.',
  item: {
    kind: 'object',
    sentence: 'One kind of streaming request.',
    fields: {
      name: NAME_FIELD,
      method: { kind: 'choice', values: METHODS, default: 'POST', sentence: 'The method.' },
      path: PATH_FIELD,
      headers: HEADERS_FIELD,
      ...BODY_FIELDS,
      clients: CLIENTS_FIELD,
      pauseSeconds: {
        kind: 'number',
        min: 0,
        max: 3600,
        default: 0.5,
        unit: 's',
        sentence: 'The pause before the next request.',
      },
      expect: {
        kind: 'object',
        sentence: 'What the right response has. All that is given must hold.',
        fields: {
          status: STATUS_FIELD,
          minEvents: {
            kind: 'integer',
            min: 0,
            max: 10_000_000,
            default: 1,
            unit: 'events',
            sentence: 'Not fewer events, or lines.',
          },
          maxEvents: {
            kind: 'integer',
            min: 0,
            max: 10_000_000,
            default: 10_000_000,
            unit: 'events',
            sentence: 'Not more events, or lines.',
          },
          last: {
            ...MESSAGE_FIELD,
            sentence: 'What the last event, or line, must be: it says that the response is whole.',
          },
        },
      },
    },
  },
} as const satisfies ListField;

/** Every field of a scenario: what reads it, its JSON Schema and its table in the docs come from here. */
export const SCENARIO_FIELDS = {
  requestsPerSecond: {
    kind: 'number',
    min: 1,
    max: 2_000,
    default: 100,
    unit: 'requests/s',
    sentence: 'Of all clients together, without WebSockets and streams.',
  },
  clients: {
    ...CLIENTS_FIELD,
    default: 50,
    sentence:
      'How many clients send requests, each with its own cookies. Each second one stays to the end. The others leave after each journey, and new ones come in their places.',
  },
  cookies: {
    kind: 'map',
    pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    rule: 'an object of cookies and their values',
    sentence: 'Cookies that each client has when it comes, beside those that responses set.',
    item: {
      kind: 'text',
      // Cookie octets (RFC 6265 section 4.1.1), and the blanks and commas that browsers send, too.
      pattern: '^[^\\x00-\\x1f;\\x7f-\\uffff]*$',
      rule: 'the value of a cookie',
      allowsNumber: true,
      sentence: 'The value.',
    },
  },
  start: {
    ...STEPS_FIELD,
    sentence: 'What each client does once, first, and again after something of it went wrong: it logs in.',
  },
  requests: {
    ...STEPS_FIELD,
    sentence: 'Requests that stand alone.',
    like: undefined,
    item: {
      kind: 'object',
      sentence: 'One request.',
      fields: { ...REQUEST_FIELDS, weight: WEIGHT_FIELD },
    },
  },
  journeys: {
    ...LIST,
    rule: `a list of at most ${MAX_ENTRIES} journeys`,
    sentence: 'Requests that follow one another.',
    item: {
      kind: 'object',
      sentence: 'One journey.',
      fields: {
        name: { ...NAME_FIELD, sentence: 'What reports put before the names of its requests.' },
        weight: WEIGHT_FIELD,
        steps: STEPS_FIELD,
      },
    },
  },
  webSockets: WEB_SOCKETS_FIELD,
  eventStreams: EVENT_STREAMS_FIELD,
  streams: STREAMS_FIELD,
} as const satisfies Fields;
