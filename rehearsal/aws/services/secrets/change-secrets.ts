import { randomInt, randomUUID } from 'node:crypto';
import { AwsError } from '../../../errors/aws-error';
import type { InvokeFunction } from '../functions/invoke-protocol';
import { AwsObject } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';
import { CURRENT, PENDING, Secret } from './secret-store';

const ROTATION_STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;

const DIGITS = '0123456789';
const LOWERCASE = 'abcdefghijklmnopqrstuvwxyz';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const MAX_PASSWORD_LENGTH = 4096;

/** What changes a secret: the writing calls of AWS Secrets Manager that a rotation needs. */
export function putSecretValue(secret: Secret, input: Parameters): AwsObject {
  const id = input.optionalText('ClientRequestToken') ?? randomUUID();
  const value = input.text('SecretString');
  const known = secret.versions.get(id);
  if (known && known.value !== value) {
    throw new AwsError(
      'ResourceExistsException',
      "You can't use ClientRequestToken on a version that exists with another value.",
    );
  }
  if (!known) secret.versions.set(id, { id, value, createdAt: new Date() });
  const labels = input.texts('VersionStages');
  for (const label of labels.length === 0 ? [CURRENT] : labels) secret.move(label, id);
  return { ARN: secret.arn, Name: secret.name, VersionId: id, VersionStages: secret.findLabels(id) };
}

export function updateVersionStage(secret: Secret, input: Parameters): AwsObject {
  const label = input.text('VersionStage');
  const to = input.optionalText('MoveToVersionId');
  const from = input.optionalText('RemoveFromVersionId');
  const holder = secret.labels.get(label);
  if (to !== undefined && !secret.versions.has(to)) {
    throw new AwsError('ResourceNotFoundException', `Secrets Manager can't find the specified secret version: ${to}.`);
  }
  if (from !== undefined && from !== holder) {
    throw input.reject('RemoveFromVersionId', `the version that ${label} is on`, from);
  }
  if (to !== undefined && holder !== undefined && holder !== to && from === undefined) {
    throw input.reject('RemoveFromVersionId', `given where ${label} is on another version`, from);
  }
  if (to !== undefined) secret.move(label, to);
  else secret.labels.delete(label);
  return { ARN: secret.arn, Name: secret.name };
}

export function getRandomPassword(input: Parameters): AwsObject {
  const length = input.optionalInteger('PasswordLength', { min: 1, max: MAX_PASSWORD_LENGTH }) ?? 32;
  const classes = [
    ['ExcludeNumbers', DIGITS],
    ['ExcludeLowercase', LOWERCASE],
    ['ExcludeUppercase', LOWERCASE.toUpperCase()],
    ['ExcludePunctuation', PUNCTUATION],
  ] as const;
  const excluded = input.optionalText('ExcludeCharacters') ?? '';
  const letters = [...classes.map(([name, some]) => (input.optionalBoolean(name) === true ? '' : some)).join('')];
  const allowed = letters.filter((letter) => !excluded.includes(letter));
  if (allowed.length === 0) throw input.reject('ExcludeCharacters', 'such that characters are left', excluded);
  return { RandomPassword: Array.from({ length }, () => allowed[randomInt(allowed.length)]).join('') };
}

/**
 * Calls the function that rotates the secret, a step after the other; responds before they are done, as AWS does. AWSPENDING
 * is on
 * the id of the new version before there is a value. A rotation is under way while it is on another version than AWSCURRENT.
 *
 * @see https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
 * @see https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
 */
export function rotateSecret(secret: Secret, input: Parameters, invoke: InvokeFunction): AwsObject {
  const functionArn = input.optionalText('RotationLambdaARN') ?? secret.rotationFunctionArn;
  if (functionArn === undefined) {
    throw new AwsError('InvalidRequestException', 'No Lambda rotation function ARN is associated with this secret.');
  }
  const pending = secret.labels.get(PENDING);
  if (pending !== undefined && pending !== secret.labels.get(CURRENT)) {
    attemptRotation(secret, pending, functionArn, invoke);
    throw new AwsError(
      'InvalidRequestException',
      'A previous rotation isn’t complete. That rotation will be reattempted.',
    );
  }
  const token = input.optionalText('ClientRequestToken') ?? randomUUID();
  if (secret.labels.get(CURRENT) !== token) secret.move(PENDING, token);
  attemptRotation(secret, token, functionArn, invoke);
  return { ARN: secret.arn, Name: secret.name, VersionId: token };
}

/** What fails is in the function's log; the version keeps its label AWSPENDING. */
function attemptRotation(secret: Secret, token: string, functionArn: string, invoke: InvokeFunction): void {
  if (secret.isRotating) return;
  secret.isRotating = true;
  const rotate = async () => {
    for (const Step of ROTATION_STEPS) {
      await invoke(functionArn, { Step, SecretId: secret.arn, ClientRequestToken: token });
    }
    secret.rotatedAt = new Date();
  };
  void rotate()
    .catch(() => undefined)
    .finally(() => (secret.isRotating = false));
}
