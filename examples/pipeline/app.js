const { App, Fn, Stack, Stage } = require('aws-cdk-lib');
const { aws_certificatemanager: acm, aws_codebuild: codebuild, aws_ec2: ec2 } = require('aws-cdk-lib');
const { CodeBuildStep, CodePipeline, CodePipelineSource, ManualApprovalStep } = require('aws-cdk-lib/pipelines');
const { Migration } = require('drainshift');

const REGION = 'eu-west-1';

/** Its zones are the account's first two, at deployment: a synthesis in a pipeline has no right to ask for their names. */
class ShopStack extends Stack {
  get availabilityZones() {
    return [0, 1].map((index) => Fn.select(index, Fn.getAzs()));
  }
}

/** What each environment gets: one stack with one migration. */
class ShopStage extends Stage {
  constructor(scope, id, { certificateArn, domainName, ...props }) {
    super(scope, id, props);
    const stack = new ShopStack(this, 'Shop');
    const vpc = new ec2.Vpc(stack, 'Network');
    vpc.addFlowLog('FlowLog');
    new Migration(stack, 'Migration', {
      vpc,
      domainName,
      certificate: acm.Certificate.fromCertificateArn(stack, 'Certificate', certificateArn),
      source: { upstreamUrl: `http://old.${domainName}:8080` },
      target: { upstreamUrl: `http://new.${domainName}:8080` },
    });
  }
}

const app = new App();
const stack = new Stack(app, 'Pipeline', { env: { account: '444455556666', region: REGION } });

const pipeline = new CodePipeline(stack, 'Pipeline', {
  crossAccountKeys: true,
  enableKeyRotation: true,
  synth: new CodeBuildStep('Synth', {
    input: CodePipelineSource.connection('example/shop', 'main', {
      connectionArn: `arn:aws:codestar-connections:${REGION}:444455556666:connection/11111111-2222-3333-4444-555555555555`,
    }),
    // The image's own Node.js may be older than the rehearsal takes.
    partialBuildSpec: codebuild.BuildSpec.fromObject({ phases: { install: { 'runtime-versions': { nodejs: 22 } } } }),
    // A template whose cutover does not get through its rehearsal is not deployed.
    commands: [
      'npm ci',
      'npx cdk synth',
      'npx drainshift rehearse --app cdk.out/assembly-Staging',
      'npx drainshift rehearse --app cdk.out/assembly-Production',
    ],
  }),
});

const stage = (name, account) =>
  new ShopStage(app, name, {
    env: { account, region: REGION },
    domainName: `${name.toLowerCase()}.shop.example.com`,
    certificateArn: `arn:aws:acm:${REGION}:${account}:certificate/99999999-8888-7777-6666-555555555555`,
  });

pipeline.addStage(stage('Staging', '444455556666'));
pipeline.addStage(stage('Production', '777788889999'), { pre: [new ManualApprovalStep('Rehearsed')] });

app.synth();
