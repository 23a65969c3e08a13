import { addMirrors, NO_MIRROR } from '../../../core/mirror/mirror-counts';
import { isMirrored } from '../../../core/mirror/is-mirrored';

test('the counts of several processes are sums', () => {
  const one = { ...NO_MIRROR, sent: 3, underWay: 1, failed: { ...NO_MIRROR.failed, late: 2 } };
  const other = { ...NO_MIRROR, sent: 4, compared: 4, repeated: 1, dropped: { ...NO_MIRROR.dropped, busy: 5 } };
  expect(addMirrors(one, other)).toEqual({
    sent: 7,
    compared: 4,
    repeated: 1,
    underWay: 1,
    failed: { unreached: 0, broken: 0, late: 2 },
    dropped: { busy: 5, memory: 0, tooLong: 0, down: 0, noResponse: 0, faulted: 0 },
  });
});

test('what changes something is copied where all are; TRACE and CONNECT never', () => {
  const methods = ['GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE', 'PURGE', 'TRACE', 'CONNECT'];
  expect(methods.filter((method) => isMirrored(method, 'safe'))).toEqual(['GET', 'HEAD', 'OPTIONS']);
  expect(methods.filter((method) => isMirrored(method, 'all'))).toEqual(methods.slice(0, 6));
});
