/**
 * Colours of pages and charts, by name. The second value is for a dark screen. Those that stand for something differ also for the
 * colour-blind; `test/rehearsal/page/` computes it.
 */
const COLOURS = {
  page: ['#ffffff', '#0d1117'],
  ink: ['#1f2328', '#e6edf3'],
  muted: ['#57606a', '#9198a1'],
  line: ['#d8dee4', '#3d444d'],
  axis: ['#8c959f', '#6e7681'],
  source: ['#0a48a8', '#3b82f6'],
  target: ['#2da470', '#6ef09a'],
  lost: ['#8f0a20', '#f472b6'],
  busy: ['#a87900', '#9a7416'],
  good: ['#1a7f37', '#1a7f37'],
  bad: ['#b42318', '#b42318'],
  unsure: ['#8a5a00', '#8a5a00'],
  plain: ['#57606a', '#57606a'],
  failure: ['#b42318', '#ff7b72'],
} as const;

type Colour = keyof typeof COLOURS;

/** As a style of CSS refers to it. */
export function colour(name: Colour): string {
  return `var(--${name})`;
}

const declare = (index: 0 | 1) =>
  Object.entries(COLOURS)
    .map(([name, values]) => `--${name}: ${values[index]};`)
    .join(' ');

/** @param root the selector of the element that everything is in */
export function palette(root: string): string {
  return `${root} { color-scheme: light dark; ${declare(0)} }
@media screen and (prefers-color-scheme: dark) { ${root} { ${declare(1)} } }`;
}
