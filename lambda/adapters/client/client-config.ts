/**
 * For every AWS client: the SDK's standard mode retries throttling and network faults with jittered exponential
 * back-off. ModifyRule refills at 3 calls a second, so a burst by others takes seconds to pass.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 */
export const CLIENT_CONFIG = {
  maxAttempts: 8,
  retryMode: 'standard',
  requestHandler: { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
} as const;
