import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { DEFAULT_DRAIN, DrainOrder, HEALTH_PATH, LedgerReport } from '../core/admin';
import { total } from '../core/connections';
import { CLOSE_HANDSHAKE_SECONDS } from '../core/drain';
import { AdminServer, startAdminServer } from './admin/admin-server';
import { createMetrics } from './admin/metrics';
import { Clock, SYSTEM_CLOCK } from './clock';
import { HostPort, ProxyConfig, UPSTREAM_IDLE_SECONDS } from './config';
import type { Answer, DataPlane, Decision, RequestHead, UpstreamFailure } from './data-plane/data-plane';
import { createDataPlane } from './data-plane/http-engine';
import { Drain } from './drain';
import { forwardingHeaders } from './forwarding';
import { Health } from './health';
import { Ledger } from './ledger';
import { quiet } from './shutdown';
import { Certificate, certificate } from './tls';
import { TrafficCount } from './traffic-count';

export interface RunningProxy {
  readonly data: HostPort;
  readonly admin: HostPort | undefined;
  report(): LedgerReport;
  /** Lets every connection finish in the configured times, then closes. Resolves when nothing is left. */
  shutDown(): Promise<void>;
  /** Destroys everything at once. */
  close(): Promise<void>;
}

/** Seconds after which a client that is refused by a draining proxy may ask again; the load balancer has then moved on. */
const RETRY_AFTER_SECONDS = 2;

const FAILURE_STATUS: Readonly<Record<UpstreamFailure, 502 | 504>> = {
  connectRefused: 502,
  reset: 502,
  malformed: 502,
  connectTimeout: 504,
  idleTimeout: 504,
};

/** One proxy: ledger, data plane, drain and admin API, wired. @throws Error of `listen`, with `code` `EADDRINUSE` for a busy port. */
export async function startProxy(config: ProxyConfig, log: Logger, clock: Clock = SYSTEM_CLOCK): Promise<RunningProxy> {
  const proxy = new Proxy(config, log, clock, await certificate(config.tls));
  await proxy.listen();
  return proxy;
}

class Proxy implements RunningProxy {
  private readonly instance = randomUUID();
  private readonly ledger = new Ledger();
  private readonly traffic = new TrafficCount();
  private readonly plane: DataPlane;
  private readonly drain: Drain;
  private readonly health: Health;
  private adminServer: AdminServer | undefined;
  private isShuttingDown = false;
  private lastRequestMs = 0;
  private listening: HostPort;

  constructor(
    private readonly config: ProxyConfig,
    private readonly log: Logger,
    private readonly clock: Clock,
    tls: Certificate | undefined,
  ) {
    this.listening = config.listen;
    this.plane = createDataPlane({
      ledger: this.ledger,
      route: (head) => this.route(head),
      failureAnswer: (failure, head) => this.failureAnswer(failure, head),
      faulted: (error) => log.error({ err: error }, 'Unexpected error, one exchange was given up'),
      timeouts: { upstreamIdleMs: 1000 * (config.upstreamIdleSeconds ?? UPSTREAM_IDLE_SECONDS) },
      ...(tls && { tls }),
    });
    this.drain = new Drain(this.ledger, clock, log, (isDraining) => this.plane.setDraining(isDraining));
    this.health = new Health(
      config.side,
      () => this.drain.state,
      () => this.ledger.active,
    );
  }

  async listen(): Promise<void> {
    const { admin, side, listen } = this.config;
    this.listening = await this.plane.listen(listen);
    if (!admin) return;
    const target = {
      report: () => this.report(),
      refusal: () => (this.isShuttingDown ? 'The proxy shuts down, and its drain is its own' : undefined),
      drain: (order: DrainOrder) => void this.drain.start(order),
      undrain: () => this.drain.cancel(),
      metrics: createMetrics(side, this.ledger, this.traffic),
    };
    try {
      this.adminServer = await startAdminServer(admin.at, admin.secret, target);
    } catch (error) {
      await this.plane.close();
      throw error;
    }
  }

  get data(): HostPort {
    return this.listening;
  }

  get admin(): HostPort | undefined {
    return this.adminServer?.address;
  }

  report(): LedgerReport {
    const { instance, ledger, drain, traffic } = this;
    return { instance, state: drain.state, active: ledger.active, ended: ledger.ended, requests: traffic.requests };
  }

  async shutDown(): Promise<void> {
    const { gracePeriodSeconds, gracefulShutdownTimeoutSeconds, propagationSeconds } = this.config;
    this.isShuttingDown = true;
    this.log.info(`Graceful shutdown: grace period ${gracePeriodSeconds}s starts`);
    // Whoever still comes is served, WebSockets too: the load balancer does not know yet, and would show a refusal.
    this.plane.setDraining(true);
    await new Promise<void>((resolve) => this.clock.after(propagationSeconds * 1000, resolve));
    await this.plane.stopAccepting();
    const deadlineMs = this.clock.nowMs() + 1000 * (gracePeriodSeconds + gracefulShutdownTimeoutSeconds);
    await this.drain.startAfresh(this.shutdownOrder());
    // Closing destroys idle connections, and with them a request that is just on its way.
    const still = { lastRequestMs: () => this.lastRequestMs, active: () => total(this.ledger.active) };
    await quiet(still, deadlineMs, this.clock);
    await this.close();
    this.log.info('Graceful shutdown: grace period ends');
  }

  async close(): Promise<void> {
    this.drain.stop();
    await Promise.all([this.plane.close(), this.adminServer?.close()]);
  }

  /** Every kind has the grace period; what is left is closed as fast as the shutdown timeout asks, and no slower than configured. */
  private shutdownOrder(): DrainOrder {
    const { gracePeriodSeconds: seconds, gracefulShutdownTimeoutSeconds, closeRatePerSecond } = this.config;
    const { jitter } = DEFAULT_DRAIN;
    const closingSeconds = Math.max(1, gracefulShutdownTimeoutSeconds - CLOSE_HANDSHAKE_SECONDS);
    const needed = Math.ceil((total(this.ledger.active) * (1 + jitter)) / closingSeconds);
    return {
      perKindSeconds: { http: seconds, websocket: seconds, grpcStream: seconds, serverSentEvents: seconds },
      closeRatePerSecond: Math.max(closeRatePerSecond, needed),
      jitter,
    };
  }

  private route(head: RequestHead): Decision {
    if (isHealthCheck(head)) return { answer: this.health.answer() };
    this.lastRequestMs = this.clock.nowMs();
    if (this.drain.state !== 'serving' && asksForStream(head)) {
      this.traffic.refuse(503);
      return { answer: retryLater('Draining: no new streams here') };
    }
    const taken = this.traffic.take();
    return {
      forward: {
        upstream: this.config.upstream,
        requestHeaders: forwardingHeaders(head, this.listening.port),
        opened: (status) => taken.opened(status),
        settled: (outcome) => taken.settled(outcome),
      },
    };
  }

  private failureAnswer(failure: UpstreamFailure, head: RequestHead): Answer {
    const status = FAILURE_STATUS[failure];
    this.log.warn({ failure, status, method: head.method }, 'Upstream failed');
    return { status, body: `The upstream failed: ${failure}\n` };
  }
}

function isHealthCheck(head: RequestHead): boolean {
  const isRead = head.method === 'GET' || head.method === 'HEAD';
  return isRead && !head.isUpgrade && head.url.replace(/\?.*$/, '') === HEALTH_PATH;
}

function asksForStream(head: RequestHead): boolean {
  return (
    head.isUpgrade ||
    String(head.headers.accept ?? '')
      .toLowerCase()
      .includes('text/event-stream')
  );
}

function retryLater(why: string): Answer {
  return { status: 503, headers: { 'retry-after': String(RETRY_AFTER_SECONDS) }, body: `${why}\n` };
}
