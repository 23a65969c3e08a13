// The same as `migration.ts`, written as one would without this package: constructs of aws-cdk-lib, one by one. They are its
// L2 constructs wherever it has one, as it has for all but the custom resource.
import type * as Cdk from 'aws-cdk-lib';
import { finish, load } from './cdk.ts';
import { createCutover } from './plain-cutover.ts';
import { createFront } from './plain-front.ts';
import { createMonitoring } from './plain-monitoring.ts';
import { createProxies } from './plain-proxies.ts';

const { App, Stack } = load<typeof Cdk>('aws-cdk-lib');

const app = new App();
const stack = new Stack(app, 'Shop');
const front = createFront(stack);
const proxies = createProxies(stack, front);
const cutover = createCutover(stack, { ...front, ...proxies });
createMonitoring(stack, { ...front, ...proxies, ...cutover });
finish(app);
