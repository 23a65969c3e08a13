import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const ROOT = resolve(__dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** Their states are places in a grammar, not in a life cycle. */
const PARSERS = 'proxy/data-plane/http1/message/';
/** More of them may be one life cycle in pieces. */
const MAX_FLAGS = 1;

/** Classes with more flags than that, and what the flags say independently of each other. */
const INDEPENDENT: Readonly<Record<string, string>> = {
  Addresses: 'a lookup is under way; the last one failed',
  Canary: 'it has ended; what fails here is no reason to end it',
  Download: 'the client has to read; the response is of a kind that may be silent',
  Engine: 'a plane drains, holds and closes',
  Elder: 'it has ended; this one was its canary, and was told to end',
  EventScanner: 'a parser: where in a line and in an event it is',
  Exchange: 'it was repeated; it has a tick of its own',
  ExchangeRecording: 'its request is written; there is no room for its body',
  FramedTransport: 'reading is paused; what was kept is given soon; the end below is yet to be told; it is live',
  FrameGuard: 'a parser: what comes is dropped; the peer sent what cannot be read',
  FrameScanner: 'a parser: inside of a message; a Close frame came',
  Group: 'its workers wait for their port; what was ordered before is in force',
  GrpcWatch: 'the upload has ended; it is a stream, for good',
  HandOver: 'it has begun; some came back and were not looked at since; it has warned of a late receiver',
  HandleTransport: 'reading is paused; the peer has ended its direction',
  Http1Client: 'its upload is paused; a loop is running, which must not be entered again',
  Http1Upstream: 'a client has logged in on it; it served before; something of the request has left',
  Http2UpstreamStream: 'the upload is whole; reading is paused; the upstream said its end; what came was no HTTP/2',
  Journal: 'a request waits for a record that is not written yet; it is closed',
  Member: 'its process was told to start; it has ended, whether it was told or not',
  Mirror: 'an error of its own was told; it is closed for good',
  Proxy:
    'it shuts down; the next generation has taken over; its session store was asked; its first orders are in force; it has listened',
  ResponseWriter: 'how the response is framed; the connection ends with it',
  SocketPairs: 'it is closed for good; why it failed was told',
  Successor: 'it knows all there is to know; it has served',
  Tls13Transport: 'reading is paused; what was kept is given soon; the peer owes new keys; we owe them',
  TlsTransport: 'reading is paused; it was before; the peer has ended its direction',
  Tunnel: 'an end failed; what the client sends is held',
  UpstreamSession: 'its GOAWAY had an error; it has been silent for too long',
  Worker: 'it serves; the next generation has taken over; it says how it is; it lets its connections end',
};

function listSources(): ts.SourceFile[] {
  return readdirSync(join(ROOT, 'proxy'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join('proxy', file))
    .map((file) => ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true));
}

function membersOf({ type }: ts.TypeAliasDeclaration): string[] {
  if (!ts.isUnionTypeNode(type)) return [];
  const literals = type.types.filter(ts.isLiteralTypeNode).map(({ literal }) => literal);
  return literals.filter(ts.isStringLiteral).map(({ text }) => text);
}

/** The states of each union that a field of a class is of. */
function listUnions(sources: readonly ts.SourceFile[]): Record<string, string[]> {
  const unions: Record<string, string[]> = {};
  for (const source of sources.filter(({ fileName }) => !fileName.startsWith(PARSERS))) {
    const aliases = source.statements.filter(ts.isTypeAliasDeclaration);
    const classes = source.statements.filter(ts.isClassDeclaration);
    const fields = classes.flatMap(({ members }) => members.filter(ts.isPropertyDeclaration));
    const used = new Set(fields.filter((field) => !isReadonly(field)).map(({ type }) => type?.getText(source)));
    for (const alias of aliases) {
      const members = membersOf(alias);
      if (members.length > 0 && used.has(alias.name.text)) unions[alias.name.text] = members;
    }
  }
  return unions;
}

interface Drawing {
  readonly states: string[];
  /** Those that no arrow leads to. */
  readonly unreachable: string[];
}

function listDrawings(page: string): Record<string, Drawing> {
  const drawings: Record<string, Drawing> = {};
  for (const [, name = '', body = ''] of page.matchAll(/^ {2}state "(\w+): [^"]+" as \1 \{\n(.*?)^ {2}\}$/gms)) {
    const arrows = [...body.matchAll(/^ {4}(\S+) --> (\w+)/gm)].map(([, from = '', to = '']) => ({ from, to }));
    const states = [...new Set(arrows.flatMap(({ from, to }) => [from, to]))].filter((state) => state !== '[*]');
    const reached = new Set(arrows.filter(({ from, to }) => from !== to).map(({ to }) => to));
    drawings[name] = { states, unreachable: states.filter((state) => !reached.has(state)) };
  }
  return drawings;
}

const isReadonly = (field: ts.PropertyDeclaration) =>
  field.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ReadonlyKeyword) === true;

function isFlag(field: ts.PropertyDeclaration): boolean {
  const { type, initializer } = field;
  if (isReadonly(field)) return false;
  const isBoolean = type?.kind === ts.SyntaxKind.BooleanKeyword;
  return (
    isBoolean || initializer?.kind === ts.SyntaxKind.TrueKeyword || initializer?.kind === ts.SyntaxKind.FalseKeyword
  );
}

const sources = listSources();
const drawings = listDrawings(read('docs/architecture.md'));
const sorted = (record: Record<string, readonly string[]>) =>
  Object.fromEntries(Object.entries(record).map(([name, states]) => [name, [...states].sort()]));

test('the states that docs/architecture.md draws are those of the proxy', () => {
  const drawn = Object.fromEntries(Object.entries(drawings).map(([name, { states }]) => [name, states]));
  expect(sorted(drawn)).toEqual(sorted(listUnions(sources)));
});

test('an arrow leads to every state', () => {
  for (const [name, { unreachable }] of Object.entries(drawings)) expect([name, unreachable]).toEqual([name, []]);
});

test('no class of the proxy spreads a life cycle over booleans', () => {
  const piles: Record<string, number> = {};
  for (const source of sources) {
    for (const { name, members } of source.statements.filter(ts.isClassDeclaration)) {
      const flags = members.filter(ts.isPropertyDeclaration).filter(isFlag).length;
      if (flags > MAX_FLAGS) piles[name!.text] = flags;
    }
  }
  expect(Object.keys(piles).sort()).toEqual(Object.keys(INDEPENDENT).sort());
});
