import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand } from '../processes/machine';
import { freePort, listening } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import { ALB_BODIES } from '../load/alb-request';
import { nextLine, startScript } from '../load/script';
import { nginxFrame } from './nginx-frame';
import { CHECKED_FIELDS, FILES, PATHS, SMALL_BODY } from './paths';

export interface Upstreams {
  /** Ports. */
  readonly http: number;
  readonly websocket: number;
  /** Which program serves HTTP. */
  readonly program: 'nginx' | 'own';
}

/** Starts what the proxies forward to. */
export async function startUpstreams(place: Workplace): Promise<Upstreams> {
  const program = hasCommand('nginx') ? 'nginx' : 'own';
  const http = program === 'nginx' ? await startNginxUpstream(place) : await startOwn(place, 'upstream/http');
  return { http, websocket: await startOwn(place, 'upstream/echo'), program };
}

interface Listening {
  readonly port: number;
}

async function startOwn(place: Workplace, file: string): Promise<number> {
  const { loadCores: cores, openFiles } = place.placement;
  return (await nextLine(startScript<Listening>(place, file, {}, { cores, openFiles }))).port;
}

async function startNginxUpstream(place: Workplace): Promise<number> {
  const directory = join(place.directory, 'upstream');
  mkdirSync(directory, { recursive: true });
  for (const [path, bytes] of Object.entries(FILES)) writeFileSync(join(directory, path), Buffer.alloc(bytes, 'b'));
  const port = await freePort();
  const file = join(directory, 'nginx.conf');
  writeFileSync(file, nginxFrame(directory, place.placement.openFiles, upstreamServer(port, directory)));
  const { loadCores: cores, openFiles } = place.placement;
  const launch = { command: 'nginx', args: ['-p', directory, '-c', file] };
  await listening(port, place.children.start(launch, { name: 'upstream', cores, openFiles }));
  return port;
}

function upstreamServer(port: number, directory: string): string {
  const seen = CHECKED_FIELDS.map((name) => `$http_${name.replaceAll('-', '_')}`).join('|');
  const albLocations = Object.entries(ALB_BODIES).map(
    ([path, body]) => `    location = ${path.split('?', 1)[0]} { return 200 '${body.replace('\n', '\\n')}'; }`,
  );
  return `
  sendfile on;
  tcp_nopush on;
  open_file_cache max=10;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${directory};
    location = ${PATHS.small} { return 200 "${SMALL_BODY.replace('\n', '\\n')}"; }
${albLocations.join('\n')}
    location = ${PATHS.post} { client_max_body_size 1g; return 200 "taken\\n"; }
    location = ${PATHS.check} { return 200 "${seen}"; }
  }`;
}
