import { readFileSync } from 'node:fs';
import https from 'node:https';
import {
  Action,
  DescribeRulesCommand,
  ElasticLoadBalancingV2Client,
  ModifyRuleCommand,
} from '@aws-sdk/client-elastic-load-balancing-v2';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  ListStateMachinesCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { until } from '../support/until';
import type { Evidence } from '../../core/cutover/evidence';
import { Command } from './command';

/** A world that `--keep` left up, as a person reaches it: with AWS clients and requests, by what was printed. */
export class KeptRehearsal {
  private constructor(
    private readonly elb: ElasticLoadBalancingV2Client,
    private readonly states: SFNClient,
    private readonly s3: S3Client,
    private readonly at: { ruleArn: string; actions: Action[]; bucket: string; port: number; ca: string },
  ) {}

  /** @param key the access key; the one that was printed unless given */
  static async of(command: Command, key?: string): Promise<KeptRehearsal> {
    const config = {
      endpoint: await command.says(/--endpoint-url (\S+)/),
      region: await command.says(/--region (\S+)/),
      credentials: { accessKeyId: key ?? (await command.says(/AWS_ACCESS_KEY_ID=(\S+)/)), secretAccessKey: 'any' },
    };
    return new KeptRehearsal(new ElasticLoadBalancingV2Client(config), new SFNClient(config), new S3Client(config), {
      ruleArn: await command.says(/--rule-arn (\S+)/),
      actions: JSON.parse(await command.says(/--actions '([^']+)'/)) as Action[],
      bucket: await command.says(/--bucket (\S+)/),
      port: Number(await command.says(/--resolve [^:]+:(\d+):/)),
      ca: readFileSync(await command.says(/--cacert (\S+)/), 'utf8'),
    });
  }

  /** The weights that are listed in the rule's action, in its order. */
  async weights(): Promise<(number | undefined)[]> {
    const { Rules } = await this.elb.send(new DescribeRulesCommand({ RuleArns: [this.at.ruleArn] }));
    return (Rules?.[0]?.Actions?.[0]?.ForwardConfig?.TargetGroups ?? []).map(({ Weight }) => Weight);
  }

  async setWeights(source: number, target: number): Promise<void> {
    const [action] = structuredClone(this.at.actions);
    const groups = action?.ForwardConfig?.TargetGroups ?? [];
    Object.assign(groups[0] ?? {}, { Weight: source });
    Object.assign(groups[1] ?? {}, { Weight: target });
    await this.elb.send(new ModifyRuleCommand({ RuleArn: this.at.ruleArn, Actions: action && [action] }));
  }

  /** Which side responds to a request without a cookie. */
  side(): Promise<string | undefined> {
    const { port, ca } = this.at;
    const headers = { host: 'shop.example.com' };
    return new Promise((resolve, reject) => {
      https
        .get({ host: '127.0.0.1', port, ca, servername: 'shop.example.com', headers, agent: false }, (response) => {
          response.resume();
          response.on('end', () => resolve(response.headers['x-backend'] as string | undefined));
        })
        .on('error', reject);
    });
  }

  /** A cutover that stays at 90/10 until somebody stops it. */
  async startCutover(name: string): Promise<string> {
    const { stateMachines } = await this.states.send(new ListStateMachinesCommand({}));
    const stages = [
      { weights: { source: 90, target: 10 }, bakeSeconds: 300 },
      { weights: { source: 50, target: 50 }, bakeSeconds: 60 },
      { weights: { source: 10, target: 90 }, bakeSeconds: 60 },
      { weights: { source: 0, target: 1 }, bakeSeconds: 60 },
    ];
    const { executionArn = '' } = await this.states.send(
      new StartExecutionCommand({
        stateMachineArn: stateMachines?.find(({ name: machine }) => machine !== undefined)?.stateMachineArn,
        name,
        // What is deployed here rolls back where a person would be asked.
        input: JSON.stringify({ plan: { stages, pollSeconds: 1, judge: { inconclusive: 'rollBack' } } }),
      }),
    );
    await until(async () => {
      const { status, cause } = await this.states.send(new DescribeExecutionCommand({ executionArn }));
      if (status !== 'RUNNING') throw new Error(`the cutover must be at 90/10, got ${status}: ${cause}`);
      return JSON.stringify(await this.weights()) === '[90,10]';
    });
    return executionArn;
  }

  async requestAbort(name: string): Promise<void> {
    await this.s3.send(new PutObjectCommand({ Bucket: this.at.bucket, Key: `abort/${name}.json`, Body: '{}' }));
  }

  /** How an execution ended, once it has. */
  async computeEnd(executionArn: string): Promise<{ status?: string; error?: string }> {
    let end: { status?: string; error?: string } = {};
    await until(async () => {
      const { status, error } = await this.states.send(new DescribeExecutionCommand({ executionArn }));
      end = { status, error };
      return status !== 'RUNNING';
    });
    return end;
  }

  /** The evidence of an execution, once it is written. */
  async evidence(name: string): Promise<Evidence> {
    const object = new GetObjectCommand({ Bucket: this.at.bucket, Key: `evidence/${name}.json` });
    let evidence: string | undefined;
    await until(async () => {
      evidence = await this.s3.send(object).then(
        ({ Body }) => Body?.transformToString(),
        (error: Error) => (error.name === 'NoSuchKey' ? undefined : Promise.reject(error)),
      );
      return evidence !== undefined;
    });
    return JSON.parse(evidence ?? '') as Evidence;
  }
}
