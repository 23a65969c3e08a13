import { randomUUID } from 'node:crypto';
import type { Side } from '../../../core/traffic/weights';
import type { Variables } from '../../../core/scenario/variables';
import { CookieJar } from '../clients/cookie-jar';

/** One client as an application knows it: its cookies, and the values that it has got. */
export class Visit {
  readonly jar = new CookieJar();
  private saved: Record<string, string> = {};
  private readonly sides = new Map<string, Side | undefined>();
  private round = 0;
  private uuid: string = randomUUID();

  /**
   * @param client the number of the client
   * @param origin `https://shop.example.com`
   * @param cookies that it has when it comes
   */
  constructor(
    private readonly client: string,
    private readonly origin: string,
    private readonly cookies: Readonly<Record<string, string>>,
  ) {
    this.jar.reset(cookies);
  }

  get variables(): Variables {
    const { client, origin, uuid } = this;
    return { ...this.saved, client, origin, uuid, round: `${this.round}` };
  }

  /** @param by the side whose response brought it */
  save(name: string, value: string, by: Side | undefined): void {
    this.saved[name] = value;
    this.sides.set(name, by);
  }

  isSaved(name: string): boolean {
    return this.sides.has(name);
  }

  savedBy(name: string): Side | undefined {
    return this.sides.get(name);
  }

  /** A journey, or a round of a script, begins. */
  nextRound(): void {
    this.round += 1;
    this.uuid = randomUUID();
  }

  /** Another client comes in its place. */
  leave(): void {
    this.jar.reset(this.cookies);
    this.saved = {};
    this.sides.clear();
  }
}
