// The same as `migration.ts`, written as one would without this package: constructs of aws-cdk-lib, one by one. They are its
// L2 constructs wherever it has one, as it has for all but the custom resource.
import { App, Stack } from 'aws-cdk-lib';
import { finish } from './cdk';
import { createCutover } from './plain-cutover';
import { createFront } from './plain-front';
import { createMonitoring } from './plain-monitoring';
import { createProxies } from './plain-proxies';

const app = new App();
const stack = new Stack(app, 'Shop');
const front = createFront(stack);
const proxies = createProxies(stack, front);
const cutover = createCutover(stack, { ...front, ...proxies });
createMonitoring(stack, { ...front, ...proxies, ...cutover });
finish(app);
