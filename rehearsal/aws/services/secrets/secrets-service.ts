import { AwsError } from '../../../errors/aws-error';
import { isArnFor } from '../../operations/arn';
import { Operation, Place, AwsObject } from '../../operations/operation';
import { page } from '../../operations/paging';
import { Parameters } from '../../operations/parameters';
import { RpcService } from '../../protocols/rpc';
import type { InvokeFunction } from '../functions/invoke-protocol';
import { getRandomPassword, putSecretValue, rotateSecret, updateVersionStage } from './change-secrets';
import { CURRENT, Secret, SecretStore, SecretVersion } from './secret-store';

const MAX_PAGE = 100;

/** AWS Secrets Manager: reading, and what rotates a secret. */
export function secretsService(secrets: SecretStore, place: Place, invoke: InvokeFunction): RpcService {
  const getSecretValue = (input: Parameters): AwsObject => {
    const secret = findSecret(secrets, input);
    const { id, value, createdAt } = readVersion(secret, input);
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: id,
      SecretString: value,
      VersionStages: secret.findLabels(id),
      CreatedDate: createdAt,
    };
  };
  const describeSecret = (input: Parameters): AwsObject => {
    const secret = findSecret(secrets, input);
    return { ...summary(secret), VersionIdsToStages: versions(secret) };
  };
  const listVersions = (input: Parameters): AwsObject => {
    const secret = findSecret(secrets, input);
    const withLabel = [...secret.versions.values()].filter(({ id }) => secret.findLabels(id).length > 0);
    const shown = input.optionalBoolean('IncludeDeprecated') === true ? [...secret.versions.values()] : withLabel;
    const Versions = shown.map(({ id, createdAt }) => {
      return { VersionId: id, VersionStages: secret.findLabels(id), CreatedDate: createdAt };
    });
    return { ARN: secret.arn, Name: secret.name, Versions };
  };
  const listSecrets = (input: Parameters): AwsObject => {
    const size = input.optionalInteger('MaxResults', { min: 1, max: MAX_PAGE }) ?? MAX_PAGE;
    const { items, next } = page(secrets.all, { size, token: input.optionalText('NextToken') }, () => {
      return new AwsError('InvalidNextTokenException', 'The NextToken value is invalid.');
    });
    return {
      SecretList: items.map((secret) => ({ ...summary(secret), SecretVersionsToStages: versions(secret) })),
      NextToken: next,
    };
  };

  const change = (apply: (secret: Secret, input: Parameters) => AwsObject) => (input: Parameters) =>
    apply(findSecret(secrets, input), input);
  const resources = (input: Parameters) => [buildArn(secrets, place, input.text('SecretId'))];
  return {
    prefix: 'secretsmanager',
    target: 'secretsmanager',
    version: '1.1',
    invalidCode: 'InvalidParameterException',
    operations: new Map<string, Operation>([
      ['GetSecretValue', { resources, run: getSecretValue }],
      ['PutSecretValue', { resources, run: change(putSecretValue) }],
      ['UpdateSecretVersionStage', { resources, run: change(updateVersionStage) }],
      ['RotateSecret', { resources, run: change((secret, input) => rotateSecret(secret, input, invoke)) }],
      ['GetRandomPassword', { run: getRandomPassword }],
      ['DescribeSecret', { resources, run: describeSecret }],
      ['ListSecretVersionIds', { resources, run: listVersions }],
      ['ListSecrets', { run: listSecrets }],
    ]),
  };
}

function findSecret(secrets: SecretStore, input: Parameters): Secret {
  const id = input.text('SecretId');
  const secret = secrets.find(id);
  if (!secret && !isSecretId(id)) {
    throw new AwsError(
      'ValidationException',
      'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
    );
  }
  if (!secret) throw new AwsError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
  return secret;
}

/** By its id, by a label, or by both. */
function readVersion(secret: Secret, input: Parameters): SecretVersion {
  const id = input.optionalText('VersionId');
  const label = input.optionalText('VersionStage') ?? (id === undefined ? CURRENT : undefined);
  const found = id === undefined ? secret.at(label ?? CURRENT) : secret.versions.get(id);
  if (found && (label === undefined || secret.findLabels(found.id).includes(label))) return found;
  throw new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for ${id === undefined ? `staging label: ${label}` : `VersionId: ${id}`}`,
  );
}

function isSecretId(id: string): boolean {
  return id.startsWith('arn:') ? isArnFor(id, 'secretsmanager', /^secret:.+$/) : /^[\w/+=.@!-]{1,512}$/.test(id);
}

function summary({ arn, name, createdAt, changedAt, rotationFunctionArn, rotatedAt }: Secret): AwsObject {
  const rotation = rotationFunctionArn !== undefined && {
    RotationEnabled: true,
    RotationLambdaARN: rotationFunctionArn,
    LastRotatedDate: rotatedAt,
  };
  return { ARN: arn, Name: name, CreatedDate: createdAt, LastChangedDate: changedAt, ...rotation };
}

/** Those with a label: the others are on their way out. */
function versions(secret: Secret): AwsObject {
  const labelled = new Set(secret.labels.values());
  return Object.fromEntries([...labelled].map((id) => [id, secret.findLabels(id)]));
}

/** A name is not in policies; what does not exist gets the ARN that it would have. */
function buildArn(secrets: SecretStore, place: Place, id: string): string {
  const known = secrets.find(id)?.arn;
  return known ?? (id.startsWith('arn:') ? id : `arn:aws:secretsmanager:${place.region}:${place.account}:secret:${id}`);
}
