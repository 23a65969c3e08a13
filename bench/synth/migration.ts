// The app of `examples/minimal`.
import type * as Cdk from 'aws-cdk-lib';
import type * as Acm from 'aws-cdk-lib/aws-certificatemanager';
import type * as Drainshift from '../../dist/lib/index.js';
import { finish, load } from './cdk.ts';

const { App, Stack } = load<typeof Cdk>('aws-cdk-lib');
const { Certificate } = load<typeof Acm>('aws-cdk-lib/aws-certificatemanager');
const { Migration } = load<typeof Drainshift>('../../dist/lib/index.js');

const app = new App();
const stack = new Stack(app, 'Shop');
new Migration(stack, 'Migration', {
  domainName: 'shop.example.com',
  certificate: Certificate.fromCertificateArn(
    stack,
    'Certificate',
    'arn:aws:acm:eu-west-1:444455556666:certificate/99999999-8888-7777-6666-555555555555',
  ),
  source: { upstreamUrl: 'http://old.shop.internal:8080' },
  target: { upstreamUrl: 'http://new.shop.internal:8080' },
});
finish(app);
