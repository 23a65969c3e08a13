import Sequencer from '@jest/test-sequencer';

/** Of what takes longest, the first. Without a cache jest goes by the size of a file, and a worker would begin one of these near the end. */
const LONGEST = [
  'rehearsal/run/rehearses-a-cutover',
  'rehearsal/run/rehearses-what-a-stack-has-besides',
  'keeps-its-promises-under-faults',
  'notices-what-goes-wrong',
  'examples/examples',
  'bin/cutover/cutover-commands',
  'leaves-nothing-behind',
  'redeploys-in-the-middle',
  'lambda/switch/switch-over',
  'examples/package',
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
