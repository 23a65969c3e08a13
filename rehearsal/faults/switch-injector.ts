import type { EndpointFaults } from '../aws/endpoint/faults';
import type { ExecutionDescription } from '../state-machine/model';
import type { Breakables } from './breakables';
import {
  SWITCH_PARTS,
  findSwitchFault,
  type AskedSwitchFault,
  type Call,
  type SwitchFault,
  type SwitchPart,
} from './switch-table';

/** Begins a fault at the call of its part, in the first attempt of the first execution that it sees. */
export class SwitchInjector {
  private metMs: number | undefined;
  private isArmed = false;

  constructor(
    private readonly asked: AskedSwitchFault,
    private readonly parts: Breakables,
    private readonly onBegin: () => void = () => undefined,
  ) {}

  /** By the wall clock; undefined until then. */
  get beganMs(): number | undefined {
    return this.metMs;
  }

  /** To be told of every state that an execution enters. */
  see(execution: ExecutionDescription): void {
    if (this.isArmed || execution.entered.at(-1)?.state !== 'Switch') return;
    this.isArmed = true;
    const fault = findSwitchFault(this.asked.name);
    whenCalled(this.parts.cloud.faults, this.asked.part, fault.response, () => {
      this.metMs = Date.now();
      this.onBegin();
      fault.act?.(this.parts, execution);
      return Promise.resolve();
    });
  }
}

/** Acts at the call of a part: while its caller waits, or in place of its response. */
function whenCalled(
  faults: EndpointFaults,
  part: SwitchPart,
  response: SwitchFault['response'],
  act: () => Promise<void>,
): void {
  const { nth = 1, afterActing = false, behind, service, action, ...path }: Call = SWITCH_PARTS[part];
  const { pathEndsWith, pathIncludes } = path;
  const scope = {
    ...(service && { service }),
    ...(action && { action }),
    ...(pathEndsWith && { pathEndsWith }),
    ...(pathIncludes && { pathIncludes }),
  };
  const arm = () => {
    let calls = 0;
    const until = () => {
      calls += 1;
      return calls === nth ? act() : Promise.resolve();
    };
    if (!response) return void faults.set(scope, { kind: 'wait', until }, { times: nth, afterActing });
    const { fault, options } = response;
    const begin = () => {
      faults.set(scope, fault, options);
      return act();
    };
    // The call before it, or the step itself, is where it starts.
    if (nth === 1) return void begin();
    faults.set(
      scope,
      { kind: 'wait', until: () => ((calls += 1) === nth - 1 ? begin() : Promise.resolve()) },
      { times: nth - 1 },
    );
  };
  if (behind) whenCalled(faults, behind, undefined, () => Promise.resolve(arm()));
  else arm();
}
