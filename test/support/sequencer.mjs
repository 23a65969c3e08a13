import Sequencer from '@jest/test-sequencer';

/** Of what takes longest, the first. Without a cache jest goes by the size of a file, and a worker would begin one of these near the end. */
const LONGEST = [
  'bin/cutover/cutover-commands',
  'bin/weights-command',
  'examples/package',
  'lib/api',
  'lambda/steps/switches',
  'lambda/switch/switch-over',
];

export default class extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const found = LONGEST.findIndex((name) => path.includes(name));
      return found < 0 ? LONGEST.length : found;
    };
    return super.sort(tests).toSorted((a, b) => rank(a) - rank(b));
  }
}
