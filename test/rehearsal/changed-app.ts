import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Template } from '../../rehearsal/template/assembly/template';

type Edit = (type: string, properties: Record<string, unknown>) => void;

/** The app as it would be synthesized after a change of its resources, in a folder of its own beside it. */
export function changedApp(app: string, name: string, edit: Edit): string {
  const copy = join(app, '..', name);
  cpSync(app, copy, { recursive: true });
  const file = join(copy, 'Drainshift.template.json');
  const template = JSON.parse(readFileSync(file, 'utf8')) as Template;
  for (const { Type, Properties = {} } of Object.values(template.Resources ?? {})) edit(Type, Properties);
  writeFileSync(file, JSON.stringify(template));
  return copy;
}
