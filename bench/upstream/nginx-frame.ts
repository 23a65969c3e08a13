/** All that is around the servers: one worker, everything it writes in `directory`. The peer has it, too. */
export function nginxFrame(directory: string, openFiles: number, servers: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${directory}/${name};`,
  );
  return `
daemon off;
worker_processes 1;
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
