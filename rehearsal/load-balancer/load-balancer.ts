import type { DataPlane } from '../../proxy/data-plane/data-plane';
import { createDataPlane } from '../../proxy/data-plane/http-engine';
import { Ledger } from '../../proxy/ledger';
import { answerFor } from './answers';
import { HealthChecks } from './health';
import { Exchanged, listenerRoute } from './listener';
import { ElbModel } from './model';
import { seededRandom } from './random';
import { Targets } from './targets';

export interface LoadBalancerOptions {
  readonly model: ElbModel;
  readonly host: string;
  /** PEM, for every HTTPS listener. */
  readonly tls: { readonly cert: string; readonly key: string };
  readonly seed: number;
  readonly exchanged: Exchanged;
}

/** A listener's address is taken by somebody else. */
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
    const { model, host, seed, exchanged } = this.options;
    const random = seededRandom(seed);
    for (const listener of model.listeners.values()) {
      const plane = createDataPlane({
        ledger: new Ledger(),
        route: listenerRoute({ model, random, exchanged }, listener),
        failureAnswer: answerFor,
        ...(listener.protocol === 'HTTPS' && { tls: this.options.tls }),
        timeouts: { upstreamIdleMs: idleMs(model, listener.loadBalancerArn), poolIdleMs: 30_000 },
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

  async stop(): Promise<void> {
    this.checks.stop();
    this.targets.stop();
    await Promise.all(this.planes.map((plane) => plane.close()));
  }
}

function idleMs(model: ElbModel, loadBalancerArn: string): number {
  return 1000 * Number(model.loadBalancer(loadBalancerArn).attributes.get('idle_timeout.timeout_seconds') ?? 60);
}
