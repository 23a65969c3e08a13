import { uuidOf } from '../identifiers';

export interface Secret {
  readonly arn: string;
  readonly name: string;
  readonly value: string;
  readonly versionId: string;
  readonly createdAt: Date;
}

/** The secrets of the account, in memory. */
export class SecretStore {
  private readonly byArn = new Map<string, Secret>();

  /** Adds a secret, or gives it a new value. */
  put(secret: { readonly arn: string; readonly name: string }, value: string, now = new Date()): void {
    const { arn, name } = secret;
    this.byArn.set(arn, { arn, name, value, versionId: uuidOf(`${arn}\n${value}`), createdAt: now });
  }

  /** Those that a cutover trusts, where it names a secret for them. */
  putAuthorities(arn: string | undefined, pem: string): void {
    if (arn !== undefined) this.put(wholeSecret(arn), pem);
  }

  /** By name, by ARN, or by an ARN without the six random characters at its end. */
  find(id: string): Secret | undefined {
    return this.byArn.get(id) ?? this.all.find(({ arn, name }) => name === id || arn.replace(/-[^-/]{6}$/, '') === id);
  }

  get all(): Secret[] {
    return [...this.byArn.values()];
  }
}

/** A secret that was imported by its name comes without the six random characters at its end. */
function wholeSecret(arn: string): { readonly arn: string; readonly name: string } {
  const whole = /-[a-zA-Z0-9]{6}$/.test(arn) ? arn : `${arn}-random`;
  return { arn: whole, name: whole.split(':').at(-1) ?? whole };
}
