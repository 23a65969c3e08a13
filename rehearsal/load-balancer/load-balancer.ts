import type { DataPlane, RejectedRequest, Timeouts } from '../../proxy/data-plane/contract/data-plane';
import { completeTimeouts } from '../../core/proxy/settings/setting-names';
import { trustingLimits } from '../../proxy/data-plane/contract/limits';
import { createDataPlane } from '../../proxy/data-plane/engine/engine';
import { Ledger } from '../../proxy/data-plane/contract/ledger';
import { responseFor, rejectionResponse } from './routing/fixed-responses';
import { Asked, BalancerEvents } from './counting/events';
import { HealthChecks } from './health/health';
import { listenerRoute } from './routing/listener';
import { ElbModel, LoadBalancer, Target } from './model/model';
import { seededRandom } from './random';
import { Targets } from './health/targets';

interface LoadBalancerOptions {
  readonly model: ElbModel;
  readonly host: string;
  /**
   * Where its connections to targets on loopback come from.
   * @default - the system's choice
   */
  readonly localAddress?: string;
  /** PEM, for every HTTPS listener. */
  readonly tls: { readonly cert: string; readonly key: string };
  readonly seed: number;
  readonly events: BalancerEvents;
}

/** Shorter than the proxies' and the backends' own, so that a target rarely closes a connection that is about to be used. */
const POOL_IDLE_MS = 30_000;

/** A listener's address is in use. */
export class PortTaken extends Error {
  constructor(
    readonly port: number,
    readonly templatePort: number,
    host: string,
    reason: string,
  ) {
    super(
      `listener :${templatePort} must have a port of its own, got ${reason} for ${host}:${port}; ` +
        `free it, or map it: --map-port ${templatePort}=${port + 10_000 > 65_535 ? port - 10_000 : port + 10_000}`,
    );
    this.name = 'PortTaken';
  }
}

/** The rehearsal's Application Load Balancer: one data plane a listener, health checks, and targets that come and go. */
export class LoadBalancerServer {
  readonly targets: Targets;
  private readonly checks: HealthChecks;
  private readonly planes: DataPlane[] = [];

  constructor(private readonly options: LoadBalancerOptions) {
    this.checks = new HealthChecks(options.model);
    this.targets = new Targets(options.model, (group, target) => this.checks.watch(group, target));
  }

  /**
   * Binds every listener, and writes the port in use into the model.
   *
   * @throws PortTaken
   */
  async start(): Promise<void> {
    const { model, host, seed, events, localAddress } = this.options;
    const random = seededRandom(seed);
    const cloud = { model, random, events, localAddress, findCut: (target: Target) => this.targets.findCut(target) };
    for (const listener of model.listeners.values()) {
      const plane = createDataPlane({
        ledger: new Ledger(),
        route: listenerRoute(cloud, listener),
        failureResponse: responseFor,
        // A kept connection that its target has just closed is a 502 here, where a proxy would try again.
        repeatsStale: false,
        // Its clients go on at once, and its targets hear nothing of it.
        continuesAtOnce: true,
        rejectionResponse,
        refused: (rejection) => this.refused(rejection),
        ...(listener.protocol === 'HTTPS' && { tls: this.options.tls }),
        timeouts: listTimeouts(model.loadBalancer(listener.loadBalancerArn)),
        limits: trustingLimits(),
      });
      this.planes.push(plane);
      try {
        listener.port = (await plane.listen({ host, port: listener.port })).port;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? String(error);
        throw new PortTaken(listener.port, listener.templatePort, host, code);
      }
    }
  }

  /** What is none, or too much, has no route: nothing is known of it but where it came from. */
  private refused({ status, address, why }: RejectedRequest): void {
    const asked: Asked = { client: address, agent: undefined, what: why, comesBack: false };
    this.options.events.started(asked);
    this.options.events.ended(asked, { by: 'loadBalancer', outcome: { status, kind: 'http' } });
  }

  async stop(): Promise<void> {
    this.checks.stop();
    this.targets.stop();
    await Promise.all(this.planes.map((plane) => plane.close()));
  }
}

/** The idle timeout is for every connection: a WebSocket and an event stream end by it like any other. */
function listTimeouts({ attributes }: LoadBalancer): Timeouts {
  const idleMs = 1000 * Number(attributes.get('idle_timeout.timeout_seconds') ?? 60);
  return completeTimeouts({ upstreamIdleMs: idleMs, streamIdleMs: idleMs, poolIdleMs: POOL_IDLE_MS });
}
