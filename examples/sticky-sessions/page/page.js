import { ReconnectingWebSocket } from '/client.mjs';

/** A press waits this long for its echo, and so long for a WebSocket that is on its way to the other side. */
const ECHO_MS = 3000;
const SOCKET_MS = 15000;
const STRIP_MS = 60_000;
const DOTS = 14;

const $ = (id) => document.getElementById(id);
const client = crypto.randomUUID();

/** The six buttons. `isSticky`: the request is sent with a cookie. */
const WAYS = [
  {
    id: 'http-http',
    title: 'HTTP → HTTP',
    promise: 'always',
    path: '/echo',
    about: 'A request without a cookie, echoed in its response. Any replica will do.',
  },
  {
    id: 'http-http-sticky',
    title: 'HTTP → HTTP, sticky',
    promise: 'always',
    path: '/echo',
    isSticky: true,
    about: 'With the cookie: always the replica that has your WebSocket.',
  },
  {
    id: 'ws-ws',
    title: 'WS → WS',
    promise: 'always',
    about: 'Out and in by your WebSocket, which ends at one replica.',
  },
  {
    id: 'http-ws',
    title: 'HTTP → WS',
    promise: 'may fail',
    path: '/to-socket',
    about: 'Without a cookie, echoed by WebSocket. Only one replica in three has yours.',
  },
  {
    id: 'http-ws-sticky',
    title: 'HTTP → WS, sticky',
    promise: 'always',
    path: '/to-socket',
    isSticky: true,
    about: 'With the cookie, echoed by WebSocket: the replica that is asked has it.',
  },
  {
    id: 'http-pubsub',
    title: 'HTTP → pub/sub → WS',
    promise: 'always',
    path: '/publish',
    about: 'Without a cookie. Any replica publishes, all subscribe, and yours echoes.',
  },
];

// ---- the application cookie -------------------------------------------------------------------------------------------

/** Kept here, and taken out of the document once the WebSocket is connected: requests are not sticky by themselves. */
const sticky = /(?:^|; *)StickyStr=([^;]+)/.exec(document.cookie)?.[1] ?? '';
const attributes = `; Path=/; SameSite=Strict${location.protocol === 'https:' ? '; Secure' : ''}`;
let stickBy = 'application';

function putCookie() {
  if (stickBy === 'application') document.cookie = `StickyStr=${sticky}${attributes}`;
}

function removeCookie() {
  document.cookie = `StickyStr=; Max-Age=0${attributes}`;
}

// ---- the WebSocket ----------------------------------------------------------------------------------------------------

const state = {
  /** Where the WebSocket is: `{side, replica}`; undefined while there is none. */
  at: undefined,
  closes: 0,
  reconnects: 0,
  longestGapMs: 0,
  presses: 0,
  failures: 0,
  /** For the strip: where the WebSocket was, and when, in milliseconds of `performance.now()`. */
  spans: [{ fromMs: performance.now(), side: 'gap' }],
  ticks: [],
};

/** Those that wait for a change of the WebSocket, and for an echo by its id. */
const changes = new EventTarget();
const echoes = new EventTarget();

let socket = connect();

function connect() {
  const url = `${location.origin.replace(/^http/, 'ws')}/socket?client=${client}`;
  // Asked before each attempt: the handshake has the cookie, and what follows has it not.
  const own = new ReconnectingWebSocket(() => (putCookie(), url), [], { maxQueue: 0, maxDelayMs: 2000 });
  own.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.hello) arrive(message);
    else echoes.dispatchEvent(new CustomEvent(message.id, { detail: message }));
  };
  own.onclose = ({ code }) => own === socket && leave(code);
  return own;
}

function arrive({ hello, routedBy }) {
  removeCookie();
  const nowMs = performance.now();
  const gap = state.spans.at(-1);
  if (state.closes > 0) {
    state.reconnects += 1;
    state.longestGapMs = Math.max(state.longestGapMs, nowMs - gap.fromMs);
  }
  state.at = hello;
  state.spans.push({ fromMs: nowMs, ...hello });
  const after = state.closes > 0 ? `, after ${Math.round(nowMs - gap.fromMs)} ms` : '';
  log(`WebSocket at the ${hello.side}, replica ${hello.replica}`, `by ${routedBy}${after}`);
  showPlace();
  changes.dispatchEvent(new Event('change'));
}

function leave(code) {
  if (state.at === undefined) return;
  state.at = undefined;
  state.closes += 1;
  state.spans.push({ fromMs: performance.now(), side: 'gap' });
  log(`WebSocket closed with ${code}`, code === 1012 ? 'the service restarts: connect again' : '');
  showPlace();
  changes.dispatchEvent(new Event('change'));
}

/** @returns a promise of the next event, or of undefined once it is too late or the signal says so */
function next(target, name, signal) {
  return new Promise((resolve) => {
    target.addEventListener(name, ({ detail }) => resolve(detail ?? true), { once: true, signal });
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

// ---- the presses ------------------------------------------------------------------------------------------------------

/**
 * Asks until there is an echo. It asks again, with the same id, only where the WebSocket left while it waited, or is not
 * yet at the side that was asked: a cutover is under way.
 */
async function ask(way) {
  const limit = AbortSignal.timeout(SOCKET_MS);
  for (;;) {
    while (state.at === undefined && !limit.aborted) await next(changes, 'change', limit);
    const outcome = await attempt(way);
    const hasMoved = state.at === undefined || outcome.hasChanged || isElsewhere(outcome.asked);
    if (outcome.echo || way.promise === 'may fail' || !hasMoved || limit.aborted) return outcome;
    if (isElsewhere(outcome.asked)) await next(changes, 'change', AbortSignal.any([limit, AbortSignal.timeout(500)]));
  }
}

const isElsewhere = (asked) => asked !== undefined && state.at !== undefined && asked.by.side !== state.at.side;

async function attempt(way) {
  const id = crypto.randomUUID();
  const body = { client, id, text: `hello ${state.presses}` };
  const { closes } = state;
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(ECHO_MS)]);
  try {
    const echo = next(echoes, id, signal);
    const gone = next(changes, 'change', signal);
    const asked = way.path ? await request(way, body, signal) : say(body);
    if (way.path === '/echo') return { asked, echo: asked };
    // The replica says that it has no WebSocket of this client.
    if (asked?.isDelivered === false) return { asked, hasChanged: closes !== state.closes };
    const got = await Promise.race([echo, gone.then(() => undefined)]);
    return { asked, echo: got, hasChanged: closes !== state.closes };
  } catch (error) {
    return { error, hasChanged: closes !== state.closes };
  } finally {
    over.abort();
  }
}

/** A WebSocket that is closing takes no message any more: then the change that is waited for comes next. */
function say(body) {
  try {
    socket.send(JSON.stringify(body));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

async function request({ path, isSticky }, body, signal) {
  if (isSticky) putCookie();
  // The cookie is read as the request begins.
  const asked = fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    credentials: isSticky ? 'same-origin' : 'omit',
    signal,
  });
  const response = await asked.finally(() => isSticky && removeCookie());
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

async function press(way) {
  if (way.isBusy) return;
  way.isBusy = true;
  const outcome = await ask(way);
  way.isBusy = false;
  const { asked, echo } = outcome;
  state.presses += 1;
  if (!echo) state.failures += 1;
  way.total += 1;
  if (echo) way.echoed += 1;
  const by = echo?.by ?? asked?.by ?? state.at;
  state.ticks.push({ atMs: performance.now(), side: echo ? by.side : 'lost', row: WAYS.indexOf(way) });
  showOutcome(way, outcome);
  for (const place of [by, echo?.deliveredBy]) if (place) flash(chip(place));
  if (by) count(chip(by));
  if (way.id === 'http-pubsub' && echo) flash($('valkey'));
  showSums();
}

/** One more press that this replica took. */
function count(element) {
  const span = element.querySelector('span');
  span.textContent = String(Number(span.textContent) + 1);
}

// ---- what is seen -----------------------------------------------------------------------------------------------------

const chip = ({ side, replica }) => document.querySelector(`#${side} [data-replica='${replica}']`);
const place = ({ side, replica }) => `${side} ${replica}`;

function flash(element) {
  element.classList.add('hot');
  setTimeout(() => element.classList.remove('hot'), 80);
}

function showPlace() {
  $('status').dataset.state = state.at?.side ?? 'connecting';
  $('state').textContent = state.at ? 'connected' : 'connecting';
  // Where it was last stays while there is none.
  if (state.at) $('side').textContent = state.at.side;
  if (state.at) $('replica').textContent = String(state.at.replica);
  for (const each of document.querySelectorAll('.side li')) each.classList.remove('mine');
  if (state.at) chip(state.at).classList.add('mine');
  showSums();
}

function showSums() {
  $('reconnects').textContent = String(state.reconnects);
  $('gap').textContent = String(Math.round(state.longestGapMs));
  $('presses').textContent = String(state.presses);
  $('failures').textContent = String(state.failures);
}

/** Which replica was asked, how it was found, and which one echoed. */
function describe(way, { asked, echo, error }) {
  if (error) return `No response: ${error.message}`;
  if (!way.path) return echo ? `Echo by ${place(echo.by)}, your WebSocket` : 'No echo';
  const found = asked ? `${place(asked.by)} (${asked.routedBy})` : 'no replica';
  if (!echo) return `Asked ${found}: your WebSocket is not there`;
  if (way.path === '/echo') return `Echo by ${found}`;
  return `Asked ${found}, echo by ${place(echo.deliveredBy)}`;
}

function showOutcome(way, outcome) {
  const name = outcome.echo ? 'echo' : 'none';
  way.output.textContent = describe(way, outcome);
  way.output.dataset.outcome = name;
  const dot = document.createElement('i');
  dot.className = name;
  way.dots.append(dot);
  if (way.dots.children.length > DOTS) way.dots.firstChild.remove();
  way.count.textContent = `${way.echoed} of ${way.total}`;
}

function log(what, more = '') {
  const line = document.createElement('li');
  const bold = document.createElement('b');
  bold.textContent = what;
  line.append(`${new Date().toLocaleTimeString('en-GB')}  `, bold, more && `  ${more}`);
  $('log').prepend(line);
  if ($('log').children.length > 100) $('log').lastChild.remove();
}

function bar(className, box) {
  const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  rect.setAttribute('class', className);
  for (const [name, value] of Object.entries(box)) rect.setAttribute(name, value.toFixed(1));
  return rect;
}

function drawStrip() {
  const nowMs = performance.now();
  const x = (ms) => Math.max(0, 600 - ((nowMs - ms) / STRIP_MS) * 600);
  const isSeen = ({ atMs }) => nowMs - atMs < STRIP_MS;
  state.ticks = state.ticks.filter(isSeen);
  while (state.spans.length > 1 && nowMs - state.spans[1].fromMs > STRIP_MS) state.spans.shift();
  const spans = state.spans.map(({ fromMs, side }, at) => {
    const endMs = state.spans[at + 1]?.fromMs ?? nowMs;
    // A gap of some milliseconds is seen, too.
    return bar(side, { x: x(fromMs), y: 3, width: Math.max(1.5, x(endMs) - x(fromMs)), height: 18 });
  });
  // A row for each button.
  const ticks = state.ticks.map(({ atMs, side, row }) =>
    bar(side, { x: x(atMs), y: 28 + 7 * row, width: 2, height: 5 }),
  );
  $('strip').replaceChildren(...spans, ...ticks);
}

function show(way, at) {
  const card = $('way').content.cloneNode(true).firstElementChild;
  card.dataset.way = way.id;
  card.dataset.promise = way.promise;
  const button = card.querySelector('button');
  card.querySelector('kbd').textContent = String(at + 1);
  card.querySelector('strong').textContent = way.title;
  card.querySelector('em').textContent = way.promise;
  card.querySelector('.route').textContent = way.about;
  Object.assign(way, {
    total: 0,
    echoed: 0,
    output: card.querySelector('output'),
    dots: card.querySelector('.dots'),
    count: card.querySelector('.count'),
  });
  button.addEventListener('click', () => press(way));
  $('ways').append(card);
}

let timer;

/** In another order each time: three of them take turns, and there are three replicas. */
function pressAll() {
  const order = WAYS.map((way) => ({ way, at: Math.random() })).sort((one, other) => one.at - other.at);
  for (const { way } of order) press(way);
}

function toggleAll() {
  const isOn = timer === undefined;
  $('all').setAttribute('aria-pressed', String(isOn));
  clearInterval(timer);
  timer = isOn ? setInterval(pressAll, 1000) : undefined;
}

WAYS.forEach(show);
$('all').addEventListener('click', toggleAll);
for (const input of document.querySelectorAll('input[name=by]')) {
  input.addEventListener('change', () => {
    stickBy = input.value;
    const former = socket;
    leave(1000);
    socket = connect();
    former.close();
  });
}
document.addEventListener('keydown', ({ key, ctrlKey, metaKey, altKey, repeat }) => {
  if (ctrlKey || metaKey || altKey || repeat) return;
  if (key === 'a' || key === 'A') toggleAll();
  const way = WAYS[Number(key) - 1];
  if (way) press(way);
});
setInterval(drawStrip, matchMedia('(prefers-reduced-motion: reduce)').matches ? 1000 : 100);
