// The app of `examples/minimal`.
import { App, Stack } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Migration } from '../../lib/index';
import { finish } from './cdk';

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
