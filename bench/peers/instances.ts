import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Child } from '../processes/children';
import { freePort, listening } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import type { Upstreams } from '../upstream/upstream';
import { makeCertificate } from './certificate';
import { checkProxies } from './check';
import { isTls, isWebSocket, type CertificateFiles, type Peer, type Role } from './peer';

export interface Instance {
  readonly peer: Peer;
  readonly role: Role;
  readonly port: number;
  readonly child: Child;
}

/** Running peers: each is started when a row first needs it in a role, and checked before it is measured. */
export class Instances {
  readonly #place: Workplace;
  readonly #upstreams: Upstreams;
  readonly #running = new Map<string, Instance>();
  #certificate: CertificateFiles | undefined;
  #started = 0;

  constructor(place: Workplace, upstreams: Upstreams) {
    this.#place = place;
    this.#upstreams = upstreams;
  }

  async of(peer: Peer, role: Role): Promise<Instance> {
    const key = `${peer.name} ${role}`;
    const running = this.#running.get(key);
    if (running?.child.isRunning() === true) return running;
    const instance = await this.fresh(peer, role);
    this.#running.set(key, instance);
    return instance;
  }

  /** An unused one, for its caller to end. */
  async fresh(peer: Peer, role: Role): Promise<Instance> {
    const { directory: parent, placement, children } = this.#place;
    this.#started += 1;
    const directory = join(parent, `peer-${this.#started}`);
    mkdirSync(directory);
    const port = await freePort();
    if (isTls(role)) this.#certificate ??= await makeCertificate(parent);
    const launch = await peer.launch({
      port,
      upstreamPort: isWebSocket(role) ? this.#upstreams.websocket : this.#upstreams.http,
      ...(isTls(role) && this.#certificate && { tls: this.#certificate }),
      directory,
      openFiles: placement.openFiles,
    });
    const cores = placement.proxyCore === undefined ? undefined : String(placement.proxyCore);
    const child = children.start(launch, { name: peer.name, cores, openFiles: placement.openFiles });
    await listening(port, child);
    await checkProxies(peer.name, port, role);
    return { peer, role, port, child };
  }
}
