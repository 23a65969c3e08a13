import { AsynchronousCall, AsynchronousCalls } from '../functions/asynchronous-calls';
import type { Functions } from '../functions/functions';
import type { ExecutionDescription } from '../state-machine/model';
import type { StackModel } from '../template/model/stack-model';

interface StatusRulesOptions {
  readonly functions: Functions;
  /** Pauses between repetitions are divided by it. */
  readonly speed: number;
  /** A function that a rule calls has begun, failed once more, or ended. */
  readonly changed: (call: AsynchronousCall) => void;
}

/** EventBridge's part in a cutover: rules on the status of executions call functions. */
export class StatusRules {
  private readonly asynchronous: AsynchronousCalls;
  private isStopped = false;

  constructor(private readonly options: StatusRulesOptions) {
    const { functions, speed, changed } = options;
    this.asynchronous = new AsynchronousCalls({
      invoke: (arn, payload) => functions.invoke(arn, payload),
      speed,
      changed,
    });
  }

  /** Of all rules; the subject is the execution's name. */
  get calls(): readonly AsynchronousCall[] {
    return this.asynchronous.all;
  }

  apply(
    { statusRules, retries }: Pick<StackModel, 'statusRules' | 'retries'>,
    { machineArn, name, status, error, cause }: ExecutionDescription,
  ): void {
    if (this.isStopped) return;
    for (const rule of statusRules) {
      if (!rule.statuses.includes(status) || !rule.machineArns.includes(machineArn)) continue;
      const event = { source: 'aws.states', detail: { name, status, stateMachineArn: machineArn, error, cause } };
      for (const arn of rule.functionArns.filter((each) => this.options.functions.has(each))) {
        this.asynchronous.begin(arn, name, event, retries.get(arn) ?? { lambdaPausesMs: [] });
      }
    }
  }

  /** Begins no more calls; what is under way ends with its function. */
  stop(): void {
    this.isStopped = true;
    this.asynchronous.stop();
  }
}
