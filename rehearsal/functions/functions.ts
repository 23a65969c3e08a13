import type { ProcessHooks } from '../processes/processes';
import { FunctionFault, FunctionSpec, LocalFunction } from './function';

/** The Lambda functions of a local cloud, by ARN. */
export class Functions {
  private readonly locals = new Map<string, LocalFunction>();
  private isStopped = false;

  constructor(
    /** What the service adds to a function's own environment. */
    private readonly environment: (spec: FunctionSpec) => Readonly<Record<string, string>>,
    private readonly processes: ProcessHooks,
  ) {}

  /** Adds a function, or changes the one that has its ARN; none once they were stopped, as in a redeploy that is cut. */
  put(spec: FunctionSpec): void {
    if (this.isStopped) return;
    const present = this.locals.get(spec.arn);
    if (present) present.update(spec);
    else this.locals.set(spec.arn, new LocalFunction(spec, this.environment, this.processes));
  }

  has(arn: string): boolean {
    return this.find(arn) !== undefined;
  }

  /** Of the process that the next event gets; undefined before the first one. To harm it from outside. */
  findPid(arn: string): number | undefined {
    return this.find(arn)?.pid;
  }

  /**
   * A fault of one call: the one that is under way, or else the next.
   *
   * @throws Error when there is no such function
   */
  breakCall(arn: string, fault: FunctionFault): void {
    const found = this.find(arn);
    if (!found) throw new Error(`function '${arn}' must be one of the template's, got none`);
    found.breakCall(fault);
  }

  /** @throws Error when there is none, and what the function throws */
  async invoke(arn: string, event: unknown): Promise<unknown> {
    const found = this.find(arn);
    if (!found) throw new Error(`function '${arn}' must be one of the template's, got none`);
    return found.invoke(event);
  }

  /** A task may name a function by its ARN with a version behind it. */
  private find(arn: string): LocalFunction | undefined {
    return [...this.locals].find(([known]) => arn === known || arn.startsWith(`${known}:`))?.[1];
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await Promise.all([...this.locals.values()].map((local) => local.stop()));
  }
}
