import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Command } from 'commander';
import { EventStream } from '../../capture/read/event-stream';
import { formatExportLine } from '../../core/capture/export-line';
import { HttpMessage, parseStatusLine } from '../../core/capture/http-message';
import type { CapturedMessage } from '../../core/capture/websocket-part';
import type { StoreUrl } from '../../core/capture/store-url';
import { printable } from '../../core/text/one-line';
import { EXIT, report, runOperator, warn } from '../shared/operator-command';
import { timeFrom } from './flags';
import { openStore, storeFrom } from './open-store';

interface CaptureFlags {
  readonly from: StoreUrl;
  readonly fromTime?: number;
  readonly toTime?: number;
  readonly skipDamaged: boolean;
}

interface ExportFlags extends CaptureFlags {
  readonly to: string;
}

interface ShowFlags extends CaptureFlags {
  readonly json: boolean;
  readonly websockets: boolean;
}

/** Adds `capture` and its commands. */
export function addCaptureCommand(cli: Command, done: (exitCode: number) => void): void {
  const capture = cli.command('capture').description('read captured traffic');
  withStore(capture.command('show').description('print one line for each captured exchange'))
    .option('--websockets', 'print one line for each message of a WebSocket, too', false)
    .option('--json', 'print JSON lines', false)
    .action(async (flags: ShowFlags) => done(await show(flags)));
  withStore(
    capture
      .command('export')
      .description('write captured traffic into one file, which OpenSearch Migrations can import'),
  )
    .requiredOption('--to <file>', 'the file, a gzip of lines (FILE.proto.gz)')
    .action(async (flags: ExportFlags) => done(await exportTo(flags)));
}

function withStore(command: Command): Command {
  return command
    .requiredOption(
      '--from <store>',
      'a capture file, a folder of them, s3://BUCKET/PREFIX, or kafka[+tls|+iam|+scram|+plain]://HOST:PORT/TOPIC',
      storeFrom,
    )
    .option('--from-time <time>', 'leave out what was recorded before', timeFrom)
    .option('--to-time <time>', 'leave out what was recorded after it', timeFrom)
    .option('--skip-damaged', 'skip records that cannot be read', false)
    .addHelpText(
      'after',
      `\nExit codes: ${EXIT.done} done, ${EXIT.refused} the store cannot be read, ${EXIT.wrongUse} wrong use.`,
    );
}

function readOptions({ fromTime, skipDamaged }: CaptureFlags, signal: AbortSignal) {
  const skip = (problem: string) => warn(`skipped: ${problem}`);
  return {
    ...{ signal, follow: false, warn },
    ...(skipDamaged && { skip }),
    ...(fromTime !== undefined && { fromMs: fromTime }),
  };
}

function isBetween({ fromTime = -Infinity, toTime = Infinity }: CaptureFlags, timeMs: number): boolean {
  return timeMs >= fromTime && timeMs <= toTime;
}

/** Of a whole exchange: a response comes after its request. */
function show(flags: ShowFlags): Promise<number> {
  return runOperator(async (stop) => {
    stop.endInOrder();
    const reader = await openStore(flags.from);
    const maxBytes = 268_435_456;
    const { websockets: withMessages } = flags;
    const limits = { windowMs: 10_000, maxBytes, withMessages };
    const events = new EventStream(reader, { ...readOptions(flags, stop.signal), ...limits });
    const open = new Map<string, HttpMessage>();
    const print = (id: string, request: HttpMessage, response: HttpMessage | undefined) => {
      if (!isBetween(flags, request.lastByteMs)) return;
      const described = describe(id, request, response);
      process.stdout.write(flags.json ? `${JSON.stringify(described)}\n` : `${printable(formatExchange(described))}\n`);
    };
    for await (const batch of events.read()) {
      for (const event of batch) {
        if (event.kind === 'request') open.set(event.request.id, event.request.message);
        else if (event.kind === 'message') printMessage(flags, event.message, event.timeMs);
        else {
          const { id, message } = event.response;
          const request = open.get(id);
          if (request) print(id, request, message);
          open.delete(id);
        }
      }
      for (const [id, request] of open) {
        if (open.size <= 10_000) break;
        print(id, request, undefined);
        open.delete(id);
      }
    }
    for (const [id, request] of open) print(id, request, undefined);
    const { records, webSocketMessages } = events.counts;
    const rest = withMessages || webSocketMessages === 0 ? '' : '; --websockets prints them';
    const messages = webSocketMessages === 0 ? '' : `, ${webSocketMessages} messages of WebSockets${rest}`;
    report(`${records} records${messages}`);
    return EXIT.done;
  });
}

/** Of a text, so many characters are printed for a person. */
const MAX_TEXT = 200;

function printMessage(flags: ShowFlags, message: CapturedMessage, timeMs: number): void {
  if (!isBetween(flags, timeMs)) return;
  const described = describeMessage(message, timeMs);
  process.stdout.write(flags.json ? `${JSON.stringify(described)}\n` : `${printable(formatMessage(described))}\n`);
}

function describeMessage({ connectionId, from, type, payload }: CapturedMessage, timeMs: number) {
  const bytes = Buffer.from(payload);
  const isCode = type === 'close' && bytes.length >= 2;
  return {
    ...{ connection: connectionId, at: new Date(timeMs).toISOString(), from, type, bytes: bytes.length },
    ...(type === 'text' && { text: bytes.toString() }),
    ...(type === 'binary' && { base64: bytes.toString('base64') }),
    ...(isCode && { code: bytes.readUInt16BE(0), reason: bytes.toString('utf8', 2) }),
  };
}

function formatMessage({ connection, at, from, type, bytes, text, code, reason }: ReturnType<typeof describeMessage>) {
  const what = text?.slice(0, MAX_TEXT) ?? (code === undefined ? '' : `${code} ${reason}`);
  return [at, connection, `${from === 'client' ? '→' : '←'} ${type}`, `${bytes} bytes`, what].join('  ').trimEnd();
}

function describe(id: string, request: HttpMessage, response: HttpMessage | undefined) {
  const status = response && parseStatusLine(response.startLine)?.status;
  return {
    id,
    at: new Date(request.firstByteMs).toISOString(),
    request: request.startLine,
    requestBytes: request.raw.length,
    ...(request.problem !== undefined && { requestProblem: request.problem }),
    ...(status !== undefined && { status, responseBytes: response!.raw.length }),
    ...(status !== undefined && {
      milliseconds: Math.round((response!.lastByteMs - request.firstByteMs) * 1_000) / 1_000,
    }),
    ...(response?.problem !== undefined && { responseProblem: response.problem }),
  };
}

function formatExchange(exchange: ReturnType<typeof describe>): string {
  const { id, at, request, requestBytes, requestProblem, status, responseBytes, milliseconds, responseProblem } =
    exchange;
  const problems = [requestProblem, responseProblem].filter((each) => each !== undefined).map((each) => `[${each}]`);
  const response = status === undefined ? 'no response' : `${status} ${responseBytes} bytes, ${milliseconds} ms`;
  return [at, id, request, `${requestBytes} bytes →`, response, ...problems].join('  ');
}

/** The records as they are, by their time. The file has its name only when it is whole. */
function exportTo(flags: ExportFlags): Promise<number> {
  return runOperator(async (stop) => {
    stop.endInOrder();
    const reader = await openStore(flags.from);
    const hash = createHash('sha256');
    let count = 0;
    async function* lines() {
      for await (const { records } of reader.read(readOptions(flags, stop.signal))) {
        const kept = records.filter(({ timeMs }) => isBetween(flags, timeMs));
        count += kept.length;
        if (kept.length > 0) yield kept.map(({ stream }) => formatExportLine(stream)).join('');
      }
    }
    const draft = `${flags.to}.draft`;
    try {
      const file = createWriteStream(draft, { mode: 0o600 });
      const gzip = createGzip();
      gzip.on('data', (bytes: Buffer) => hash.update(bytes));
      await pipeline(Readable.from(lines()), gzip, file);
      if (stop.signal.aborted) throw new Error('stopped: nothing was written');
      await rename(draft, flags.to);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
    report(`${count} records in ${flags.to}, sha256 ${hash.digest('hex')}`);
    return EXIT.done;
  });
}
