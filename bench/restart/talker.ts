import { nextLine, startScript, type Script } from '../load/script';
import type { Child } from '../processes/children';
import type { Workplace } from '../processes/workplace';
import { allCores } from './estate';
import type { Order } from './messages';

/** A script that is told what to do while it runs. */
export class Talker<Report> {
  readonly #script: Script<Report>;

  private constructor(script: Script<Report>) {
    this.#script = script;
  }

  /** Resolves when it has said its first line. */
  static async start<Report>(
    place: Workplace,
    name: string,
    order: object,
  ): Promise<{ talker: Talker<Report>; first: Report }> {
    const where = { cores: allCores(place), openFiles: place.placement.openFiles };
    const talker = new Talker(startScript<Report>(place, name, order, where));
    return { talker, first: await nextLine(talker.#script) };
  }

  get child(): Child {
    return this.#script.child;
  }

  tell(order: Order): void {
    this.child.process.stdin?.write(`${order}\n`);
  }

  report(): Promise<Report> {
    this.tell('report');
    return nextLine(this.#script);
  }
}
