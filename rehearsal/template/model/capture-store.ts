import { StoreUrl, parseStoreUrl } from '../../../core/capture/store-url';
import { variableName } from '../../../core/proxy/settings/setting-names';
import type { StackModel } from './stack-model';

/** Where the proxies of the source record their traffic; undefined where they do not. */
export function findCaptureStore({ services, config }: Pick<StackModel, 'services' | 'config'>): StoreUrl | undefined {
  const source = services.find(({ name }) => name === config.serviceNames.source);
  return parseStoreUrl(source?.container.environment[variableName('capture')]);
}
