import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  buildSettingsSchema,
  formatSettingTable,
  formatSettingsUsage,
  listSettingFlags,
} from '../../../../core/proxy/settings/describe-settings';
import { SETTING_GROUPS } from '../../../../core/proxy/settings/settings';

const ROOT = join(__dirname, '../../../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test.each(SETTING_GROUPS)('the docs have the table of the group %s', (group) => {
  expect(read('docs/proxy.md')).toContain(formatSettingTable(group));
});

test('the package has the schema', () => {
  const schema = JSON.parse(read('schemas/proxy.json')) as { readonly $id: string };
  expect(JSON.parse(JSON.stringify(buildSettingsSchema(schema.$id)))).toEqual(schema);
});

test('a flag has what stands for its value, what it is for and its default', () => {
  const usage = formatSettingsUsage();
  expect(usage.match(/^\S.*:$/gm)).toEqual([
    'Settings:',
    'Timeouts, in seconds:',
    'Limits:',
    'Protocols:',
    'Moves to the other backend:',
    'Captured traffic:',
    'Copies to a target:',
    'Beside the traffic:',
  ]);
  expect(usage).toMatch(/^ {2}--client-idle-seconds SECONDS\n {6}A kept-alive .*\. \(default: 75\)$/m);
  expect(usage).toMatch(/^ {2}--listen HOST:PORT\n/m);
  expect(usage).toMatch(/^ {2}--field-bytes BYTES\n/m);
  expect(usage).not.toMatch(/`|default: (–|required)/);
});

test('a shell completes the words that a setting may have', () => {
  const flags = listSettingFlags();
  const byName = Object.fromEntries(flags.map((each) => [each.flag, each]));
  expect(byName['--client-idle-seconds']).not.toHaveProperty('values');
  expect(flags.filter(({ values }) => values).every(({ values }) => values!.length > 1)).toBe(true);
  expect(flags.some(({ values }) => values?.join() === 'true,false')).toBe(true);
});
