import { randomBytes } from 'node:crypto';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  paginateListSecretVersionIds,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretVersionsListEntry,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import type { RotatedSecret, SecretVersion } from '../contract/rotation-ports';
import { CLIENT_CONFIG } from './client/client-config';
import { limited } from './client/limited';

/** 64 letters, as the first one has. */
const KEY_BYTES = 48;

/** A secret of Secrets Manager whose versions are keys. */
export function rotatedSecret(SecretId: string): RotatedSecret {
  const client = limited('Secrets Manager', new SecretsManagerClient(CLIENT_CONFIG));
  const hasValue = async (VersionId: string) => {
    try {
      await client.send(new GetSecretValueCommand({ SecretId, VersionId }));
      return true;
    } catch (error) {
      // Secrets Manager adds the version of a rotation before there is a value.
      if (error instanceof ResourceNotFoundException) return false;
      throw error;
    }
  };
  return {
    history: async () => {
      const { LastRotatedDate } = await client.send(new DescribeSecretCommand({ SecretId }));
      const versions: SecretVersion[] = [];
      for await (const { Versions = [] } of paginateListSecretVersionIds(
        { client },
        { SecretId, IncludeDeprecated: true },
      )) {
        versions.push(...Versions.map(readVersion));
      }
      return { versions, lastRotatedMs: LastRotatedDate?.getTime() };
    },
    addPending: async (ClientRequestToken) => {
      if (await hasValue(ClientRequestToken)) return;
      const SecretString = randomBytes(KEY_BYTES).toString('base64url');
      const VersionStages = ['AWSPENDING'];
      await client.send(new PutSecretValueCommand({ SecretId, ClientRequestToken, SecretString, VersionStages }));
    },
    makeCurrent: async (MoveToVersionId, RemoveFromVersionId) => {
      const move = { SecretId, VersionStage: 'AWSCURRENT', MoveToVersionId, RemoveFromVersionId };
      await client.send(new UpdateSecretVersionStageCommand(move));
    },
  };
}

function readVersion({ VersionId = '', VersionStages = [], CreatedDate }: SecretVersionsListEntry): SecretVersion {
  return { id: VersionId, labels: VersionStages, createdMs: CreatedDate?.getTime() ?? 0 };
}
