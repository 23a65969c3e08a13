import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

/** Whether a test with a real browser can run here. Without one it is skipped, and says so. */
export function hasChromium(who: string): boolean {
  const isInstalled = spawnSync('chromium', ['--version']).status === 0;
  if (!isInstalled) process.stderr.write(`SKIPPED: ${who}, chromium is not installed\n`);
  return isInstalled;
}

/** A page in a browser of its own, driven by the Chrome DevTools Protocol. */
export interface Page {
  /** What the page's console and its exceptions said. */
  readonly problems: string[];
  /** @returns the value of this expression in the page; promises are awaited */
  evaluate<T>(expression: string): Promise<T>;
  call(method: string, params?: object): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export async function openPage(url: string, flags: readonly string[] = []): Promise<Page> {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-chromium-'));
  const browser = spawn(
    'chromium',
    [
      ...['--headless=new', '--no-sandbox', '--disable-gpu', '--no-proxy-server', '--remote-debugging-port=0'],
      ...[`--user-data-dir=${folder}`, ...flags, 'about:blank'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const stop = async () => {
    const end = once(browser, 'exit');
    if (browser.exitCode === null && browser.kill()) await end;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const { port } = new URL(await debuggerOf(browser));
    const pages = (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as {
      type: string;
      webSocketDebuggerUrl: string;
    }[];
    const page = await drive(pages.find(({ type }) => type === 'page')!.webSocketDebuggerUrl);
    await page.call('Page.navigate', { url });
    return { ...page, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function debuggerOf(browser: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    browser.once('exit', (code) => reject(new Error(`chromium must start, got exit code ${code}`)));
    createInterface(browser.stderr!).on('line', (line) => {
      const [, url] = /DevTools listening on (\S+)/.exec(line) ?? [];
      if (url) resolve(url);
    });
  });
}

async function drive(url: string): Promise<Omit<Page, 'stop'>> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  const waiting = new Map<number, (answer: Answer) => void>();
  const problems: string[] = [];
  socket.on('message', (bytes: Buffer) => {
    const answer = JSON.parse(bytes.toString()) as Answer;
    if (answer.id !== undefined) waiting.get(answer.id)?.(answer);
    else if (['Log.entryAdded', 'Runtime.exceptionThrown'].includes(answer.method ?? ''))
      problems.push(JSON.stringify(answer.params));
  });
  let last = 0;
  const call = async (method: string, params: object = {}) => {
    const id = ++last;
    const answered = new Promise<Answer>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answered;
    if (error || !result) throw new Error(`${method}: ${error?.message}`);
    return result;
  };
  const evaluate = async <T>(expression: string) => {
    const { result, exceptionDetails } = await call('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(`'${expression}' must not throw, got ${JSON.stringify(exceptionDetails)}`);
    return (result as { value: T }).value;
  };
  for (const domain of ['Page', 'Runtime', 'Log']) await call(`${domain}.enable`);
  return { problems, call, evaluate };
}
