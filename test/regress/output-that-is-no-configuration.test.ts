import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { findCutoverConfigs } from '../../lambda/operator';

// A page of a captive portal has the status 200: it read as a stack without outputs. An output that is no JSON was named by none.

const output = (value: string) =>
  `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>Shop</StackName><Outputs><member><OutputKey>CutoverConfig</OutputKey><OutputValue>${value}</OutputValue></member></Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`;

test.each([
  [
    'a page',
    '<html><body>Log in</body></html>',
    "CloudFormation must respond with the stack 'Shop', got a response without it",
  ],
  ['an output', output('{oops}'), "the output 'CutoverConfig' of the stack 'Shop' must be JSON, got {oops}"],
])('%s is named', async (_, body, message) => {
  const server = createServer((_, response) => response.end(body)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  Object.assign(process.env, { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' });
  await expect(findCutoverConfigs('Shop')).rejects.toThrow(message);
  server.closeAllConnections();
  server.close();
});
