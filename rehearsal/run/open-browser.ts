import { spawn } from 'node:child_process';
import type { ProgressReporter } from '../progress/progress-reporter';

/** What opens an address in the browser of the person, by platform. None of them is a shell. */
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};
const OTHERWISE = ['xdg-open'];

/**
 * Opens this address in the browser, and says it. Where nothing can open it, it says that, too: a person may copy it.
 *
 * @param caFile the authority of this run's certificate, which no browser knows
 */
export function openBrowser(
  url: string,
  caFile: string,
  reporter: ProgressReporter,
  platform = process.platform,
): void {
  reporter.step(`opening ${url} in your browser, which warns of the certificate: accept it once, or trust ${caFile}`);
  const [command = '', ...args] = OPENERS[platform] ?? OTHERWISE;
  const tell = (why: string) => reporter.step(`no browser was opened (${command}: ${why}): open ${url} yourself`);
  const child = spawn(command, [...args, url], { stdio: 'ignore', detached: true, env: process.env });
  child.once('error', ({ message }) => tell(message));
  child.once('exit', (code) => {
    if (code !== 0) tell(`exit code ${code}`);
  });
  // It may be the browser itself, which stays.
  child.unref();
}
