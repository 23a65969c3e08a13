import { CutoverError } from '../../../core/errors/errors';
import { PLAN_FIELDS, parsePlan } from '../../../core/plan/plan';
import { Field, Fields } from '../../../core/validation/fields';

const STAGE = { weights: { source: 0, target: 1 } };
const REQUEST = { path: '/' };
const ROUTE = { path: '/cart' };
const HOOK = { name: 'check', when: 'afterBake' };

/** A plan in which the field at this place has this value, and all around it is right. */
function planWith(path: readonly string[], value: unknown): unknown {
  const [key = '', ...rest] = path;
  if (path.length === 0) return value;
  const inner = planWith(rest, value);
  if (key === '[stages]') return [{ ...STAGE, ...(inner as object) }];
  if (key === '[smoke]') return [{ ...REQUEST, ...(inner as object) }];
  if (key === '[routes]') return [{ ...ROUTE, ...(inner as object) }];
  if (key === '[paths]') return [{ ...ROUTE, ...(inner as object) }];
  if (key === '[hooks]') return [{ ...HOOK, ...(inner as object) }];
  if (key === '[windows]') return [{ from: '01:00', to: '05:00', ...(inner as object) }];
  const isWeight = key === 'source' || key === 'target';
  return { ...(isWeight && { source: 0, target: 1 }), [key]: inner };
}

function listProblems(plan: unknown): string[] {
  try {
    parsePlan(plan);
    return [];
  } catch (error) {
    if (error instanceof CutoverError) return error.message.split('\n');
    throw error;
  }
}

interface Place {
  readonly path: readonly string[];
  readonly field: Field;
}

function listPlaces(fields: Fields, prefix: readonly string[] = []): Place[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const path = [...prefix, name];
    if (field.kind === 'object') return [{ path, field }, ...listPlaces(field.fields, path)];
    if (field.kind === 'list') return [{ path, field }, ...listPlaces(field.item.fields, [...path, `[${name}]`])];
    return [{ path, field }];
  });
}

const places = listPlaces(PLAN_FIELDS);
/** As messages name it. */
const nameIn = (path: readonly string[]) => path.join('.').replace(/\.\[\w+\]/g, '[0]');
const named = places.map((place) => [nameIn(place.path), place] as const);

/** The problems of a field's own bounds: rules between fields have others. */
const ownProblems = (name: string, path: readonly string[], value: unknown) =>
  listProblems(planWith(path, value)).filter((line) => line.startsWith(`'${name}' must be `) && /\bfrom /.test(line));

test.each(named.filter(([, { field }]) => ['integer', 'seconds', 'number'].includes(field.kind)))(
  '%s: just inside of its bounds is accepted, just outside is rejected',
  (name, { path, field }) => {
    if (field.kind !== 'integer' && field.kind !== 'seconds' && field.kind !== 'number') throw new Error('a number');
    const step = field.kind === 'number' ? 0.001 : 1;
    for (const value of [field.min, field.max]) expect(ownProblems(name, path, value)).toEqual([]);
    for (const value of [field.min - step, field.max + step, '1', null, Number.NaN]) {
      expect(ownProblems(name, path, value)).toHaveLength(1);
    }
    if (field.kind !== 'number') expect(ownProblems(name, path, field.min + 0.5)).toHaveLength(1);
  },
);

test.each(named.filter(([, { field }]) => field.kind === 'seconds'))(
  '%s: a duration says its seconds, within the same bounds',
  (name, { path, field }) => {
    if (field.kind !== 'seconds') throw new Error('seconds');
    const minutes = field.max < 60 ? [] : ['1m', '0h1m0s'];
    for (const value of [`${field.max}s`, ...minutes]) expect(ownProblems(name, path, value)).toEqual([]);
    for (const value of ['', '5', '5 m', '-5m', '1.5h', '5m1h', '5M', '1d', `${field.max + 1}s`]) {
      expect(ownProblems(name, path, value)).toEqual([
        `'${name}' must be from ${field.min} to ${field.max} seconds, as a number or as a duration (90s, 5m, 1h30m), got ${JSON.stringify(value)}`,
      ]);
    }
  },
);

test('durations give the same plan as their seconds', () => {
  const stage = (bakeSeconds: unknown) => ({ weights: { source: 0, target: 1 }, bakeSeconds });
  const inWords = { pollSeconds: '1m', stages: [stage('1h30m')], drain: { perKindSeconds: { websocket: '2h' } } };
  const inSeconds = { pollSeconds: 60, stages: [stage(5_400)], drain: { perKindSeconds: { websocket: 7_200 } } };
  expect(parsePlan(inWords)).toEqual(parsePlan(inSeconds));
});

test.each(named.filter(([, { field }]) => ['boolean', 'choice', 'object', 'list', 'text'].includes(field.kind)))(
  '%s: a value of another kind is rejected by its name',
  (name, { path }) => {
    for (const value of [null, 1.5, 'x y']) {
      const lines = listProblems(planWith(path, value));
      // Beside what is required of the same object.
      expect(lines).toContainEqual(expect.stringContaining(`'${name}' must be `));
    }
  },
);

test.each([
  ['plan', []],
  ...places.filter(({ field }) => field.kind === 'object').map(({ path }) => [nameIn(path), path]),
] as [string, string[]][])('%s: an unknown key is rejected', (name, path) => {
  const lines = listProblems(planWith([...path, 'nowhere'], 1));
  expect(lines.filter((line) => line.startsWith(`'${name}.nowhere' must be one of `))).toHaveLength(1);
});

test('without its required fields nothing is read; the defaults are the plan of nothing', () => {
  expect(listProblems({ smoke: [{}] })).toEqual([
    "'smoke[0].path' must be a path that starts with '/' and has neither a space nor a '#', got nothing",
  ]);
  expect(listProblems({ initialWeights: {} })).toHaveLength(2);
  const defaults = places.filter(({ field }) => 'default' in field && field.kind !== 'list');
  const isInOptional = (path: readonly string[]) =>
    /^(switch\.(hook|state|replay)|drain\.order|capture)\./.test(path.join('.'));
  const outside = defaults.filter(({ path }) => !isInOptional(path) && !path.some((key) => key.startsWith('[')));
  for (const { path, field } of outside) {
    const value = (field as { default: unknown }).default;
    expect(parsePlan(planWith(path, value))).toEqual(parsePlan({}));
  }
});
