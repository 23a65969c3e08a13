import { CallFailed } from '../admin/admin-server';
import type { Clock } from '../process/clock';
import type { ResponseTo, Responses, RpcRequest, RpcResponse } from './messages';

/** Shorter than what a caller of the admin API waits for. */
const RESPONSE_MS = 2_000;
/** For a worker that was late, and has not been heard since: what is asked next is not to take as long again. */
const STILL_LATE_MS = 250;

/** The worker that was asked has ended. */
export class WorkerGone extends Error {}

/** Workers that were asked live, and do not respond. What they were told they will hear when they go on. */
export class WorkerLate extends CallFailed {
  /** @param consequence what that means for what was asked */
  constructor(
    readonly workers: readonly number[],
    consequence = '',
  ) {
    const who = `${workers.length > 1 ? 'workers' : 'worker'} ${workers.join(', ')}`;
    super(`${who} did not respond within ${RESPONSE_MS / 1000} s${consequence}`, 504);
  }
}

interface Pending {
  readonly resolve: (value: Responses[keyof Responses]) => void;
  readonly reject: (error: Error) => void;
}

/** `late`: the last call had no response in time, and the next ones wait for less. `over`: the worker has ended. */
export type RpcState = 'prompt' | 'late' | 'over';

/** The calls to one worker that have no response yet. */
export class Rpc {
  private readonly pending = new Map<number, Pending>();
  private lastId = 0;
  private state: RpcState = 'prompt';

  constructor(
    private readonly worker: number,
    private readonly send: (id: number, prompt: RpcRequest) => void,
    private readonly clock: Clock,
    private readonly responseMs = RESPONSE_MS,
  ) {}

  /** Rejects with `WorkerGone` when the worker ends before it responds, with `WorkerLate` when it does not in time. */
  ask<Q extends RpcRequest>(prompt: Q): Promise<ResponseTo<Q>> {
    const { worker } = this;
    if (this.state === 'over') return Promise.reject(new WorkerGone(`Worker ${worker} has ended`));
    const id = (this.lastId += 1);
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(this.state === 'late' ? STILL_LATE_MS : this.responseMs, () => {
        if (this.state === 'prompt') this.state = 'late';
        this.fail(id, new WorkerLate([worker]));
      });
      this.pending.set(id, {
        resolve: (value) => {
          cancel();
          // The worker responds to each kind of question with its kind of response; see `Responses`.
          resolve(value as ResponseTo<Q>);
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      });
      this.send(id, prompt);
    });
  }

  /** A response that comes late has no caller that waits for it. */
  hear(message: RpcResponse): void {
    if (this.state === 'late') this.state = 'prompt';
    if (message.type === 'fault') return this.fail(message.id, new Error(`Worker ${this.worker}: ${message.message}`));
    const pending = this.pending.get(message.id);
    this.pending.delete(message.id);
    pending?.resolve(message.value);
  }

  /** The worker has ended. */
  end(): void {
    this.state = 'over';
    for (const id of [...this.pending.keys()]) this.fail(id, new WorkerGone(`Worker ${this.worker} has ended`));
  }

  private fail(id: number, error: Error): void {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    pending?.reject(error);
  }
}
