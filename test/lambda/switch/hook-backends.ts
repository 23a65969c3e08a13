import type { BackendCallOrder, BackendCallReport } from '../../../core/proxy/backend-call';
import type { HookCall } from '../../../core/switch/hook';
import type { Side } from '../../../core/traffic/weights';

type Part = HookCall['part'] | 'write';
/** In place of what a backend does. */
export type Instead = (call: HookCall) => BackendCallReport | Promise<BackendCallReport>;

/** The backends of both sides, as docs/switch.md wants them: they order the calls of a hook by epoch and part. */
export class HookBackends {
  readonly calls: string[] = [];
  readonly frozen: Record<Side, boolean> = { source: false, target: false };
  /** What goes wrong: `freeze`, or `freeze source` of one side. */
  readonly faults: Partial<Record<Part | `${Part} ${Side}`, Instead>> = {};
  private readonly last: Record<Side, number> = { source: 0, target: 0 };

  readonly respond = async (order: BackendCallOrder): Promise<BackendCallReport> => {
    const { to, body } = order;
    if (body === undefined) return this.write(order);
    const call = JSON.parse(body) as HookCall;
    this.calls.push(`${call.part} ${to} ${call.epoch}`);
    const fault = this.faults[`${call.part} ${to}`] ?? this.faults[call.part];
    return fault ? fault(call) : this.follow(call);
  };

  follow({ part, side, epoch }: HookCall): BackendCallReport {
    if (part === 'freeze' || part === 'thaw') {
      const order = 2 * epoch + (part === 'thaw' ? 1 : 0);
      if (order < this.last[side]) return json(409, { ok: false, why: `a later call than ${part} ${epoch} has come` });
      this.last[side] = order;
      this.frozen[side] = part === 'freeze';
    }
    return json(200, { ok: true, epoch, ...(part === 'verify' && { digest: 'abc' }) });
  }

  private async write({ to }: BackendCallOrder): Promise<BackendCallReport> {
    this.calls.push(`write ${to}`);
    const fault = this.faults[`write ${to}`] ?? this.faults.write;
    if (fault) return fault({} as HookCall);
    return { status: this.frozen[to] ? 423 : 204, body: '' };
  }
}

export function json(status: number, body: unknown): BackendCallReport {
  return { status, body: JSON.stringify(body) };
}

export const HANGS: Instead = () => new Promise(() => undefined);
export const HOOK_PLAN = {
  http: { freeze: '/freeze', transfer: '/transfer', verify: '/verify', thaw: '/thaw' },
  probeWrite: { method: 'POST', path: '/probe-write' },
  timeoutMs: { freeze: 100, probeWrite: 100, transfer: 100, verify: 100, thaw: 100 },
} as const;
