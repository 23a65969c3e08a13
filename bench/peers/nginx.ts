import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand } from '../processes/machine';
import { nginxFrame } from '../upstream/nginx-frame';
import type { Job, Peer } from './peer';

/**
 * Set up well: kept-alive upstream connections over HTTP/1.1, buffers that hold a body without a file, request bodies
 * passed on as they come, no log, and the fields that our proxy sets.
 */
export const nginx: Peer = {
  name: 'nginx',
  missing: () => (hasCommand('nginx') ? undefined : 'apt-get install nginx-light'),
  launch: (job) => {
    const file = join(job.directory, 'nginx.conf');
    writeFileSync(file, nginxFrame(job.directory, job.openFiles, proxyServer(job), job));
    return { command: 'nginx', args: ['-p', job.directory, '-c', file] };
  },
};

function proxyServer({ port, upstreamPort, tls }: Job): string {
  const listen = `listen 127.0.0.1:${port} ${tls === undefined ? '' : 'ssl '}backlog=4096;`;
  const certificate =
    tls === undefined
      ? ''
      : `ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key}; ssl_protocols TLSv1.2 TLSv1.3;`;
  return `
  map $http_upgrade $connection_field { default upgrade; '' ''; }
  upstream backend {
    server 127.0.0.1:${upstreamPort};
    keepalive 1024;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
  }
  server {
    ${listen}
    ${certificate}
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_field;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 512k;
      proxy_max_temp_file_size 0;
      proxy_request_buffering off;
      client_max_body_size 0;
      proxy_read_timeout 3600s;
      proxy_send_timeout 3600s;
    }
  }`;
}
