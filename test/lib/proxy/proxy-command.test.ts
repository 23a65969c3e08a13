import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROXY_COMMAND } from '../../../lib/shared/assets';

test('the command of the constructs is that of the image', () => {
  const dockerfile = readFileSync(join(__dirname, '../../../proxy/Dockerfile'), 'utf8');
  expect(JSON.parse(/^CMD (.*)$/m.exec(dockerfile)?.[1] ?? '')).toEqual(PROXY_COMMAND);
});
