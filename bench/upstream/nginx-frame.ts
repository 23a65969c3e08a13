export interface NginxProcesses {
  /** @default 1 */
  readonly workers?: number | undefined;
  /** After a reload, until an old worker cuts its connections. @default - it waits for them */
  readonly shutdownSeconds?: number | undefined;
}

/** All that is around the servers: everything it writes in `directory`. The peer has it, too. */
export function nginxFrame(
  directory: string,
  openFiles: number,
  servers: string,
  { workers = 1, shutdownSeconds }: NginxProcesses = {},
): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${directory}/${name};`,
  );
  return `
daemon off;
worker_processes ${workers};
${shutdownSeconds === undefined ? '' : `worker_shutdown_timeout ${shutdownSeconds}s;`}
worker_rlimit_nofile ${openFiles};
pid ${directory}/nginx.pid;
error_log stderr error;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 65536; }
http {
  access_log off;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
${temporary.join('\n')}
${servers}
}
`;
}
