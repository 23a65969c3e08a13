import { formatWeights, isWeight } from '../../../core/traffic/weights';

/** A value of an evidence in words: `active: http 0, websocket 5; limit seconds 300`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(describe).join('; ');
  if (typeof value === 'number') return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value);
  if (isWeights(value)) return formatWeights(value);
  const nested = entries.some(([, item]) => typeof item === 'object' && item !== null);
  return entries
    .map(([name, item]) => `${words(name)}${isGroup(item) ? ':' : ''} ${describe(item)}`)
    .join(nested ? '; ' : ', ');
}

/** Its parts need a colon before them. */
function isGroup(item: unknown): boolean {
  return typeof item === 'object' && item !== null && !Array.isArray(item) && !isWeights(item);
}

function isWeights(value: object): value is { source: number; target: number } {
  const names = Object.keys(value);
  return names.length === 2 && 'source' in value && 'target' in value && Object.values(value).every(isWeight);
}

/** `confirmTimeoutSeconds` → `confirm timeout seconds` */
export function words(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
}
