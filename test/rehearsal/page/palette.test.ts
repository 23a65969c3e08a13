import { palette } from '../../../rehearsal/timeline/palette';

type Rgb = readonly [number, number, number];

/** How dichromats see linear RGB. Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision Deficiency (2009), severity 1. */
const VISIONS: Readonly<Record<string, readonly Rgb[]>> = {
  most: [[1, 0, 0], [0, 1, 0], [0, 0, 1]], // prettier-ignore
  protanopes: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]], // prettier-ignore
  deuteranopes: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]], // prettier-ignore
  tritanopes: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]], // prettier-ignore
};
const names = [...palette(':root').matchAll(/--(\w+): (#[0-9a-f]{6})/g)].map(
  ([, name, value]) => [name!, value!] as const,
);
const half = names.length / 2;
const SCREENS = { light: Object.fromEntries(names.slice(0, half)), dark: Object.fromEntries(names.slice(half)) };

/** sRGB to linear: IEC 61966-2-1. */
const linear = (hex: string): Rgb =>
  [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
const dot = (a: Rgb, b: Rgb) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const luminance = (hex: string) => dot(linear(hex), [0.2126, 0.7152, 0.0722]);

/** WCAG 2.2, "contrast ratio". */
function findContrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** CIE 1976, white of D65. */
function toLab(rgb: Rgb): Rgb {
  const clamped = rgb.map((part) => Math.min(1, Math.max(0, part))) as unknown as Rgb;
  const [x, y, z] = [
    dot(clamped, [0.4124564, 0.3575761, 0.1804375]) / 0.95047,
    dot(clamped, [0.2126729, 0.7151522, 0.072175]),
    dot(clamped, [0.0193339, 0.119192, 0.9503041]) / 1.08883,
  ].map((t) => (t > 216 / 24_389 ? Math.cbrt(t) : ((24_389 / 27) * t + 16) / 116)) as [number, number, number];
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function findDifference(a: string, b: string, vision: readonly Rgb[]): number {
  const [one, other] = [a, b].map((hex) => toLab(vision.map((row) => dot(row, linear(hex))) as unknown as Rgb));
  return Math.hypot(...one!.map((part, at) => part - other![at]!));
}

describe.each(Object.entries(SCREENS))('on a %s screen', (_, colours) => {
  const find = (name: string) => colours[name]!;

  test('text has the contrast of WCAG AA, also in pills and on phases', () => {
    for (const name of ['ink', 'muted', 'failure']) expect(findContrast(find(name), find('page'))).toBeGreaterThan(4.5);
    for (const name of ['good', 'bad', 'unsure', 'plain']) {
      expect([name, findContrast('#ffffff', find(name)) > 4.5]).toEqual([name, true]);
    }
    expect(findContrast(find('ink'), find('line'))).toBeGreaterThan(4.5);
  });

  test('lines and areas have the contrast of WCAG AA for what is no text', () => {
    for (const name of ['source', 'target', 'lost', 'busy', 'axis']) {
      expect([name, findContrast(find(name), find('page')) > 3]).toEqual([name, true]);
    }
  });

  test.each([
    ['source', 'target'],
    ['source', 'lost'],
    ['target', 'lost'],
    ['target', 'busy'],
    ['lost', 'busy'],
    ['source', 'busy'],
  ])('%s and %s differ for the colour-blind, too', (a, b) => {
    for (const [who, vision] of Object.entries(VISIONS)) {
      // The least that is seen at a glance is about 10; of a thin line it is more.
      expect([who, findDifference(find(a), find(b), vision) > 25]).toEqual([who, true]);
    }
  });
});
