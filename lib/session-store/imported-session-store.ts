import { Resource, Token } from 'aws-cdk-lib';
import { Connections, Peer, Port } from 'aws-cdk-lib/aws-ec2';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { checkDomainName, checkInteger } from '../validation/validation';
import { checkNames } from '../validation/known-props';
import { letRead } from '../shared/encryption';
import { ISessionStore, SESSION_STORE_PORT, SessionStoreAttributes } from './session-store-props';

export class ImportedSessionStore extends Resource implements ISessionStore {
  public readonly endpoint: string;
  public readonly url: string;
  public readonly userName?: string;
  public readonly secret?: ISecret;
  public readonly connections: Connections;

  constructor(scope: Construct, id: string, props: SessionStoreAttributes) {
    super(scope, id);
    checkNames('SessionStoreAttributes', props);
    const port = props.port ?? SESSION_STORE_PORT;
    checkDomainName('host', props.host);
    checkInteger('port', port, { min: 1, max: 65_535 });
    this.endpoint = `${props.host}:${Token.isUnresolved(port) ? Token.asString(port) : port}`;
    this.url = `rediss://${this.endpoint}`;
    this.userName = props.userName;
    this.secret = props.secret;
    const securityGroups = props.securityGroups ?? [];
    // Without a group to name in an egress rule, only an address can be.
    const peer = securityGroups.length === 0 ? Peer.anyIpv4() : undefined;
    this.connections = new Connections({ securityGroups, peer, defaultPort: Port.tcp(port) });
  }

  public grantConnect(grantee: IGrantable): Grant {
    return (this.secret && letRead(this.secret, grantee)) ?? Grant.drop(grantee, 'This session store has no password');
  }
}
