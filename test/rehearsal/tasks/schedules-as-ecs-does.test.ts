import { Condition, schedule } from '../../../rehearsal/tasks/schedule';

const LETTERS: Readonly<Record<string, Condition>> = { h: 'healthy', p: 'pending', u: 'unhealthy' };

/** `uhp`: tasks by their condition, the oldest first; each is named by its place. */
function next(
  desiredCount: number,
  conditions: string,
  { min = 100, max = 200, older = 0 }: { min?: number; max?: number; older?: number } = {},
) {
  const tasks = [...conditions].map((letter, index) => [index, LETTERS[letter] ?? 'pending'] as const);
  const { start, scaleIn, replaced } = schedule(
    { desiredCount, minimumHealthyPercent: min, maximumPercent: max },
    tasks,
    older,
  );
  return [start, scaleIn.join(), replaced.join()];
}

test.each([
  ['nothing to do', 2, 'hh', {}, [0, '', '']],
  ['what is missing is started', 2, 'h', {}, [1, '', '']],
  ['the newest beyond the desired count go', 1, 'hhp', {}, [0, '1,2', '']],
  ['a replacement is started before the unhealthy task goes', 1, 'u', {}, [1, '', '']],
  ['it stays while the replacement is on its way', 1, 'up', {}, [0, '', '']],
  ['it goes when the replacement is healthy', 1, 'uh', {}, [0, '', '0']],
  ['of two unhealthy ones the older goes, and the next try starts', 1, 'uu', {}, [0, '', '0']],
  ['all at once are all replaced', 3, 'uuu', {}, [3, '', '']],
  ['one by one as replacements become healthy', 3, 'uuuhpp', {}, [0, '', '0']],
  ['a healthy one stands for itself only', 2, 'huh', {}, [0, '', '1']],
  ['the unhealthy go first in a scale-in', 1, 'hu', {}, [0, '', '1']],
  ['all of them go at zero', 0, 'uh', {}, [0, '1', '0']],
  ['one that is healthy again makes its replacement needless', 1, 'hp', {}, [0, '1', '']],
  ['no more than there is room for', 4, 'uuuu', { max: 150 }, [2, '', '']],
  ['the room is rounded down', 1, 'u', { max: 199, min: 100 }, [0, '', '']],
  ['without room the unhealthy go one by one', 2, 'uu', { max: 100, min: 50 }, [0, '', '0']],
  ['but not below the minimum, rounded up', 3, 'uuu', { max: 100, min: 70 }, [0, '', '']],
  ['nor while one is on its way', 3, 'uup', { max: 100, min: 50 }, [0, '', '']],
  ['older deployments take room', 2, 'uh', { older: 2 }, [0, '', '0']],
  ['and missing tasks are started whatever the room', 2, '', { max: 100, older: 2 }, [2, '', '']],
])('%s', (_, desired, conditions, limits, expected) => {
  expect(next(desired, conditions, limits)).toEqual(expected);
});

test('whatever the conditions, a service that has room comes to its desired count of healthy tasks', () => {
  for (const first of ['u', 'uu', 'uuu', 'huu', 'hhu', 'puh', 'uuuuuu', 'hhhhh']) {
    let tasks = first;
    for (let round = 0; round < 20; round += 1) {
      const [start, scaleIn, replaced] = next(3, tasks) as [number, string, string];
      const gone = `${scaleIn},${replaced}`.split(',');
      const left = [...tasks].filter((__, index) => !gone.includes(String(index)));
      // What was on its way has become healthy by the next round.
      tasks = left.join('').replaceAll('p', 'h') + 'p'.repeat(start);
    }
    expect(tasks).toBe('hhh');
  }
});
