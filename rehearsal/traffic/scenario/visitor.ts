import type { Journey, Scenario, Step } from '../../../core/scenario/scenario';
import type { StepChecker } from './step-checker';
import type { Visit } from './visit';

/**
 * After so many requests of one visit who does not stay forgets the cookies of the load balancer, not those of the application: however
 * long journeys are, enough requests are shared out by the weights.
 */
export const REQUESTS_PER_DRAW = 5;

/** Lets journeys take turns by their weights, over all clients: none is left out by chance. */
export class JourneyPicker {
  private readonly credits: { readonly journey: Journey; credit: number }[];
  private readonly total: number;

  constructor(journeys: readonly Journey[]) {
    this.credits = journeys.map((journey) => ({ journey, credit: 0 }));
    this.total = journeys.reduce((sum, { weight }) => sum + weight, 0);
  }

  next(): Journey | undefined {
    for (const each of this.credits) each.credit += each.journey.weight;
    const best = this.credits.reduce<(typeof this.credits)[number] | undefined>(
      (one, other) => (one && one.credit >= other.credit ? one : other),
      undefined,
    );
    if (best) best.credit -= this.total;
    return best?.journey;
  }
}

/** One client of the requests: it does what each does first, then one journey after the other. One request at a time. */
export class Visitor {
  private waiting: readonly Step[] = [];
  private hasStarted = false;
  /** Of this visit. */
  private sent = 0;

  /** @param stays with its cookies, to the end; if not, another client comes after each journey */
  constructor(
    private readonly scenario: Scenario,
    private readonly picker: JourneyPicker,
    private readonly checker: StepChecker,
    private readonly visit: Visit,
    private readonly stays: boolean,
  ) {}

  /** Sends the next request, and waits for its response. */
  readonly act = async (dueMs: number): Promise<void> => {
    const [step, ...rest] = this.waiting.length > 0 ? this.waiting : this.nextSteps();
    if (!step) return;
    this.waiting = rest;
    if (!this.stays && this.sent > 0 && this.sent % REQUESTS_PER_DRAW === 0) this.visit.jar.forgetStickiness();
    this.sent += 1;
    if (await this.checker.run(step, dueMs)) return;
    // What follows may need it, and one fault is to be counted once.
    this.waiting = [];
    this.hasStarted = false;
  };

  private nextSteps(): readonly Step[] {
    if (this.hasStarted && !this.stays) {
      this.visit.leave();
      this.hasStarted = false;
      this.sent = 0;
    }
    this.visit.nextRound();
    const steps = this.picker.next()?.steps ?? [];
    const before = this.hasStarted ? [] : this.scenario.start;
    this.hasStarted = true;
    return [...before, ...steps];
  }
}
