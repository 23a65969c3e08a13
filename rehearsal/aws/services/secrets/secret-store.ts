import { buildUuid } from '../../identifiers';

export const CURRENT = 'AWSCURRENT';
export const PREVIOUS = 'AWSPREVIOUS';
export const PENDING = 'AWSPENDING';

export interface SecretVersion {
  readonly id: string;
  readonly value: string;
  readonly createdAt: Date;
}

/** One secret, its versions and which of them a label is on; each label is on one at most. */
export class Secret {
  readonly versions = new Map<string, SecretVersion>();
  /** The id of a version by label. */
  readonly labels = new Map<string, string>();
  /** What rotates it, where its template says so. */
  rotationFunctionArn: string | undefined;
  /** Whether its function is at work now. */
  isRotating = false;
  /** When its last rotation ended. */
  rotatedAt: Date | undefined;

  constructor(
    readonly arn: string,
    readonly name: string,
    readonly createdAt: Date,
  ) {}

  at(label: string): SecretVersion | undefined {
    return this.versions.get(this.labels.get(label) ?? '');
  }

  /** The string of the current version; empty where there is none yet. */
  get value(): string {
    return this.at(CURRENT)?.value ?? '';
  }

  get changedAt(): Date {
    return this.at(CURRENT)?.createdAt ?? this.createdAt;
  }

  findLabels(versionId: string): string[] {
    return [...this.labels].filter(([, id]) => id === versionId).map(([label]) => label);
  }

  /**
   * The current version is the previous one from then on, and nothing else is. What was pending is so no more once it is
   * current, by the same call.
   *
   * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
   */
  move(label: string, versionId: string): void {
    const before = this.labels.get(label);
    if (label === CURRENT && before !== undefined && before !== versionId) this.labels.set(PREVIOUS, before);
    if (label === CURRENT && this.labels.get(PREVIOUS) === versionId) this.labels.delete(PREVIOUS);
    if (label === CURRENT && this.labels.get(PENDING) === versionId) this.labels.delete(PENDING);
    this.labels.set(label, versionId);
  }
}

/** The secrets of the account, in memory. */
export class SecretStore {
  private readonly byArn = new Map<string, Secret>();

  /** Adds a secret, or gives it a new current version where the value is another one. */
  put({ arn, name }: { readonly arn: string; readonly name: string }, value: string, now = new Date()): Secret {
    const secret = this.byArn.get(arn) ?? new Secret(arn, name, now);
    this.byArn.set(arn, secret);
    if (secret.at(CURRENT)?.value === value) return secret;
    const id = buildUuid(`${arn}\n${value}`);
    secret.versions.set(id, { id, value, createdAt: now });
    secret.move(CURRENT, id);
    return secret;
  }

  /** Those of a template, by ARN, and what rotates them. One that is there keeps its value. */
  apply(values: ReadonlyMap<string, string>, rotations: ReadonlyMap<string, string>): void {
    for (const [arn, value] of values) {
      const secret = this.find(arn) ?? this.put({ arn, name: arn.split(':').at(-1) ?? arn }, value);
      secret.rotationFunctionArn = rotations.get(arn);
    }
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
