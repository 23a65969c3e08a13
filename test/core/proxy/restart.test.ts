import {
  RestartOrder,
  RestartState,
  ShareCounter,
  findRestartStep,
  readRestartOrder,
} from '../../../core/proxy/restart';
import { Problems } from '../../../core/validation/problems';

function read(value: unknown): { order: RestartOrder; problems: readonly string[] } {
  const problems = new Problems();
  return { order: readRestartOrder('', value, problems), problems: problems.all };
}

test.each([
  [{}, {}],
  [{ share: 0.1 }, { share: 0.1 }],
  [{ share: 0 }, { share: 0 }],
  [
    { share: 1, listeners: ['data'] },
    { share: 1, listeners: ['data'] },
  ],
])('the order %j is read', (value, order) => {
  expect(read(value)).toEqual({ order, problems: [] });
});

test.each([
  [{ share: 1.5 }, "'share' must be a number from 0 to 1, got 1.5"],
  [{ share: -0.1 }, "'share' must be a number from 0 to 1, got -0.1"],
  [{ share: '0.1' }, '\'share\' must be a number from 0 to 1, got "0.1"'],
  [{ share: 0.1, listeners: ['admin'] }, '\'listeners\' must be a list of data, got ["admin"]'],
  [{ share: 0.1, listeners: [] }, "'listeners' must be a list of data, got []"],
  [{ share: 0.1, listeners: 'data' }, '\'listeners\' must be a list of data, got "data"'],
  [{ listeners: ['data'] }, "'share' must be given with 'listeners', got nothing"],
  [{ portion: 1 }, '\'portion\' must be one of share, listeners, got "portion"'],
])('the order %j is rejected, and says why', (value, problem) => {
  expect(read(value).problems).toEqual([problem]);
});

const SHARES = [undefined, 0, 0.1, 1] as const;
const step = (share: number | undefined, restart: RestartState, live: number) => {
  const found = findRestartStep(share === undefined ? {} : { share }, { live, restart }, 3);
  return 'step' in found ? found.step : found.conflict.split(/[:;,]/)[0];
};

test.each([
  ['none', 1, ['all', "There must be a canary for 'share' 0", 'begin', "There must be a canary for 'share' 1"]],
  ['starting', 2, Array(4).fill('A restart is under way')],
  ['canary', 2, ['A canary is under way', 'takeBack', 'change', 'complete']],
  // As many as there may be: no other one is started for these.
  ['canary', 3, ['A canary is under way', 'takeBack', 'change', 'complete']],
  ['ending', 2, Array(4).fill('A canary was taken back')],
] as const)(
  'while the restart is %s, with %d generations, an order comes to its step or says why not',
  (restart, live, steps) => {
    expect(SHARES.map((share) => step(share, restart, live))).toEqual(steps);
  },
);

test('no generation is started beyond as many as there may be', () => {
  expect([step(undefined, 'none', 3), step(0.1, 'none', 3)]).toEqual(
    Array(2).fill("There must be fewer than 3 generations ('max_generations') for another one"),
  );
});

test.each([
  [0, 0],
  [0.1, 100],
  [0.25, 250],
  [0.333, 333],
  [0.999, 999],
  [1, 1000],
])('of 1,000 connections in a row a share of %d gets %d, spread evenly', (share, count) => {
  const counter = new ShareCounter(share);
  let given = 0;
  for (let nth = 1; nth <= 1000; nth += 1) {
    given += counter.next() ? 1 : 0;
    expect(Math.abs(given - nth * share)).toBeLessThan(1);
  }
  expect(given).toBe(count);
});
