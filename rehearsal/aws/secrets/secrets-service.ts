import { AwsError } from '../../aws-error';
import { isArnOf } from '../arn';
import { Operation, Place, WireObject } from '../operation';
import { page } from '../paging';
import { Parameters } from '../parameters';
import { RpcService } from '../protocols/rpc';
import { Secret, SecretStore } from './secret-store';

const MAX_PAGE = 100;

/** AWS Secrets Manager, reading only. */
export function secretsService(secrets: SecretStore, place: Place): RpcService {
  const getSecretValue = (input: Parameters): WireObject => {
    const secret = secretOf(secrets, input);
    checkVersion(secret, input);
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: secret.versionId,
      SecretString: secret.value,
      VersionStages: ['AWSCURRENT'],
      CreatedDate: secret.createdAt,
    };
  };
  const describeSecret = (input: Parameters): WireObject => {
    const secret = secretOf(secrets, input);
    return { ...summary(secret), VersionIdsToStages: versions(secret) };
  };
  const listSecrets = (input: Parameters): WireObject => {
    const size = input.optionalInteger('MaxResults', { min: 1, max: MAX_PAGE }) ?? MAX_PAGE;
    const { items, next } = page(secrets.all, { size, token: input.optionalText('NextToken') }, () => {
      return new AwsError('InvalidNextTokenException', 'The NextToken value is invalid.');
    });
    return {
      SecretList: items.map((secret) => ({ ...summary(secret), SecretVersionsToStages: versions(secret) })),
      NextToken: next,
    };
  };

  const resources = (input: Parameters) => [arnOf(secrets, place, input.text('SecretId'))];
  return {
    prefix: 'secretsmanager',
    target: 'secretsmanager',
    version: '1.1',
    invalidCode: 'InvalidParameterException',
    operations: new Map<string, Operation>([
      ['GetSecretValue', { resources, run: getSecretValue }],
      ['DescribeSecret', { resources, run: describeSecret }],
      ['ListSecrets', { run: listSecrets }],
    ]),
  };
}

function secretOf(secrets: SecretStore, input: Parameters): Secret {
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

/** There is one version of each secret: the current one. */
function checkVersion(secret: Secret, input: Parameters): void {
  const stage = input.optionalText('VersionStage') ?? 'AWSCURRENT';
  const id = input.optionalText('VersionId') ?? secret.versionId;
  if (stage === 'AWSCURRENT' && id === secret.versionId) return;
  throw new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for ${stage === 'AWSCURRENT' ? `VersionId: ${id}` : `staging label: ${stage}`}`,
  );
}

function isSecretId(id: string): boolean {
  return id.startsWith('arn:') ? isArnOf(id, 'secretsmanager', /^secret:.+$/) : /^[\w/+=.@!-]{1,512}$/.test(id);
}

function summary(secret: Secret): WireObject {
  return { ARN: secret.arn, Name: secret.name, CreatedDate: secret.createdAt, LastChangedDate: secret.createdAt };
}

function versions(secret: Secret): WireObject {
  return { [secret.versionId]: ['AWSCURRENT'] };
}

/** A name is not in policies; what does not exist gets the ARN that it would have. */
function arnOf(secrets: SecretStore, place: Place, id: string): string {
  const known = secrets.find(id)?.arn;
  return known ?? (id.startsWith('arn:') ? id : `arn:aws:secretsmanager:${place.region}:${place.account}:secret:${id}`);
}
