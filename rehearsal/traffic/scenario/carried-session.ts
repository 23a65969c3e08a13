import { listVariables } from '../../../core/scenario/variables';
import { isSecretName } from '../../../core/scenario/secrets';
import type { Side } from '../../../core/traffic/weights';
import type { SessionCookie } from '../clients/cookie-jar';
import type { SeenSession } from '../counting/entries';
import type { Visit } from './visit';

/** The session of the application that a request carries: cookies, and tokens of its header fields. */
export class CarriedSession {
  private readonly cookies: readonly SessionCookie[];
  private readonly tokensBy: readonly (Side | undefined)[];

  /**
   * @param path of the request
   * @param headers as the scenario has them, with their variables
   */
  constructor(
    private readonly visit: Visit,
    private readonly path: string,
    headers: Readonly<Record<string, string>>,
  ) {
    this.cookies = visit.jar.listSession(path, Date.now());
    const secret = Object.entries(headers).filter(([name]) => isSecretName(name));
    const tokens = secret.flatMap(([, value]) => listVariables(value)).filter((name) => visit.isSaved(name));
    this.tokensBy = tokens.map((name) => visit.savedBy(name));
  }

  get isThere(): boolean {
    return this.cookies.length + this.tokensBy.length > 0;
  }

  /**
   * What is known of it when the response has come, and its cookies were taken; undefined where it is of no side, or of both.
   */
  see(): SeenSession | undefined {
    const sides = new Set([...this.cookies.map(({ setBy }) => setBy), ...this.tokensBy]);
    const [beganOn, ...others] = sides;
    return beganOn === undefined || others.length > 0 ? undefined : { beganOn, isRenewed: this.isRenewed() };
  }

  /** Behind the first dot stand signatures, and the node that wrote it: the session may be the same. */
  private isRenewed(): boolean {
    const now = this.visit.jar.listSession(this.path, Date.now());
    const id = (value: string) => value.split('.')[0];
    return this.cookies.some((before) => {
      const after = now.find(({ name }) => name === before.name);
      return before.isNamed && after !== undefined && id(after.value) !== id(before.value);
    });
  }
}
