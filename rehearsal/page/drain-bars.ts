import { CONNECTION_KINDS, KIND_FACTS } from '../../core/proxy/connections';
import { escape } from './markup';
import { DrainSeen, sumKinds } from './data/read';

const ROW = 24;
const BAR = 16;
const WIDTHS = { wide: 900, narrow: 360 } as const;
const LABELS = { wide: 210, narrow: 0 } as const;
const RIGHT = 46;

/** How a connection ended, in the words of the page, worst last. Texture says the same as the colour. */
export const DRAIN_ENDINGS = [
  ['completed', 'ended by themselves'],
  ['moved', 'moved'],
  ['closed', 'closed in order'],
  ['forced', 'forced'],
  ['lost', 'lost with their task'],
  ['unknown', 'ended unseen'],
] as const satisfies readonly (readonly [keyof DrainSeen, string])[];

interface Bar {
  readonly name: string;
  readonly value: number;
  readonly kind: string;
}

/** One bar for each kind that was live at the start, and one for each way in which connections ended. */
export function drainBars(drain: DrainSeen, from: string): string {
  const kinds = CONNECTION_KINDS.filter((kind) => drain.atStart[kind] > 0 || drain.left[kind] > 0);
  const groups = [
    {
      title: 'Live at the start, by kind',
      bars: kinds.map((kind): Bar => ({ name: KIND_FACTS[kind].plural, value: drain.atStart[kind], kind: 'start' })),
    },
    {
      title: 'How they ended',
      bars: DRAIN_ENDINGS.map(([kind, name]): Bar => ({ name, value: drain[kind], kind })),
    },
    {
      title: 'Live at the last poll',
      bars: [{ name: `all kinds`, value: sumKinds(drain.left), kind: 'left' }],
    },
  ].filter(({ bars }) => bars.length > 0);
  const text = groups
    .map(({ title, bars }) => `${title}: ${bars.map(({ name, value }) => `${name} ${number(value)}`).join(', ')}.`)
    .join(' ');
  const each = (['wide', 'narrow'] as const).map(
    (size) => `<div class="${size}">${draw(groups, size, { title: `The drain of the ${from}`, text })}</div>`,
  );
  return `<figure>${each.join('\n')}</figure>`;
}

function draw(
  groups: readonly { readonly title: string; readonly bars: readonly Bar[] }[],
  size: keyof typeof WIDTHS,
  { title, text }: { readonly title: string; readonly text: string },
): string {
  const [width, labels] = [WIDTHS[size], LABELS[size]];
  const id = `drain-${size}`;
  const highest = groups.flatMap(({ bars }) => bars).reduce((max, { value }) => Math.max(max, value), 1);
  const row = labels > 0 ? ROW : ROW + 14;
  let top = 0;
  const drawn = groups.map((group) => {
    const heading = `<text class="ink title" x="0" y="${top + 14}">${escape(group.title)}</text>`;
    top += 22;
    const bars = group.bars.map((bar) => {
      const place = top;
      top += row;
      return drawBar(bar, { id, top: place, left: labels, scale: (width - labels - RIGHT) / highest });
    });
    top += 10;
    return heading + bars.join('\n');
  });
  return `<svg class="figure" viewBox="0 0 ${width} ${top}" role="img" aria-labelledby="${id}-title ${id}-text">
<title id="${id}-title">${escape(title)}</title><desc id="${id}-text">${escape(text)}</desc>
<defs>${pattern(`${id}-forced`, 'forced', 45)}${pattern(`${id}-lost`, 'lost', 135)}</defs>
${drawn.join('\n')}
</svg>`;
}

function pattern(id: string, kind: string, angle: number): string {
  return `<pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(${angle})"><rect class="bar-${kind}" width="6" height="6"/><line class="bar-stripe" x1="0" y1="0" x2="0" y2="6"/></pattern>`;
}

function drawBar(
  { name, value, kind }: Bar,
  { id, top, left, scale }: { id: string; top: number; left: number; scale: number },
): string {
  const isBeside = left > 0;
  const y = isBeside ? top : top + 14;
  const width = Number((value * scale).toFixed(1));
  const hatched = kind === 'forced' || kind === 'lost' ? `fill="url(#${id}-${kind})"` : `class="bar-${kind}"`;
  const label = isBeside
    ? `<text class="ink" x="${left - 10}" y="${y + 13}" text-anchor="end">${escape(name)}</text>`
    : `<text class="ink" x="0" y="${y - 3}">${escape(name)}</text>`;
  return `<g>${label}<rect ${hatched} x="${left}" y="${y}" width="${width}" height="${BAR}"/><text class="ink" x="${left + width + 6}" y="${y + 13}">${number(value)}</text></g>`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
