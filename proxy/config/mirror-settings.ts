import type { Problems } from '../../core/validation/problems';
import type { Upstream } from '../data-plane/contract/data-plane';
import type { MirrorConfig } from '../mirror/mirror';
import { Values, readSetting } from './given';
import { reaches, readAddress } from './upstreams';

const REST = [
  'mirror_share',
  'mirror_methods',
  'mirror_paths',
  'mirror_never',
  'mirror_repeat_share',
  'mirror_ignore',
  'mirror_concurrency',
  'mirror_timeout_seconds',
  'mirror_body_bytes',
  'mirror_memory_bytes',
] as const;

/**
 * What is copied, and where to; absent where nothing is.
 *
 * @param listen the proxy's own address
 * @param upstream whose trust in certificates is that in those of the target
 */
export function readMirror(
  values: Values,
  listen: Pick<Upstream, 'host' | 'port'>,
  upstream: Upstream,
  problems: Problems,
): { readonly mirror?: MirrorConfig } {
  const { mirror_url: url } = values;
  if (url === undefined) {
    for (const name of REST)
      if (values[name] !== undefined) problems.add(name, "absent without 'mirror_url'", values[name]);
    return {};
  }
  const address = readAddress('mirror_url', url, listen, problems);
  if (reaches(upstream, address))
    problems.add('mirror_url', "another address than 'upstream', which has the requests themselves", url);
  const { verifyCertificate, authorities } = upstream;
  return {
    mirror: {
      target: {
        ...address,
        ...(verifyCertificate !== undefined && { verifyCertificate }),
        ...(authorities !== undefined && { authorities }),
      },
      share: readSetting('mirror_share', values, problems),
      methods: readSetting('mirror_methods', values, problems),
      paths: readSetting('mirror_paths', values, problems),
      never: readSetting('mirror_never', values, problems),
      repeatShare: readSetting('mirror_repeat_share', values, problems),
      ignore: readSetting('mirror_ignore', values, problems),
      concurrency: readSetting('mirror_concurrency', values, problems),
      timeoutMs: 1000 * readSetting('mirror_timeout_seconds', values, problems),
      bodyBytes: readSetting('mirror_body_bytes', values, problems),
      memoryBytes: readSetting('mirror_memory_bytes', values, problems),
    },
  };
}
