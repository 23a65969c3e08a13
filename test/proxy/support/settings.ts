import { ProxyConfig, readConfig } from '../../../proxy/config/config';
import type { ConfigSources } from '../../../proxy/config/given';

/** Reads a configuration where no file can be read, unless the test says otherwise. */
export function read(sources: Partial<ConfigSources>): ProxyConfig {
  const readText = () => {
    throw new Error('no such file');
  };
  return readConfig({ flags: {}, environment: {}, file: undefined, readText, ...sources });
}

/** Its problems, a line each. */
export function listProblems(sources: Partial<ConfigSources>): string[] {
  try {
    read(sources);
  } catch (error) {
    expect((error as Error).name).toBe('ConfigInvalid');
    return (error as Error).message.split('\n');
  }
  return [];
}
