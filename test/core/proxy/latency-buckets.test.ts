import {
  BUCKETS,
  addLatencies,
  bucketEndMs,
  countLatencies,
  countSlower,
  findBucket,
  findQuantile,
} from '../../../core/proxy/latency-buckets';

test('each time is in the first bucket whose end is not before it', () => {
  for (const milliseconds of [0, 0.3, 1, 1.01, 2, 3, 39.9, 40, 1_000, 59_999, 65_000]) {
    const bucket = findBucket(milliseconds);
    expect(milliseconds).toBeLessThanOrEqual(bucketEndMs(bucket) * (1 + 1e-6));
    if (bucket > 0) expect(milliseconds).toBeGreaterThan(bucketEndMs(bucket - 1));
  }
});

test('the end of each bucket is in it', () => {
  for (let bucket = 0; bucket < BUCKETS - 1; bucket += 1) expect(findBucket(bucketEndMs(bucket))).toBe(bucket);
  expect([findBucket(1e9), bucketEndMs(BUCKETS - 1)]).toEqual([BUCKETS - 1, Infinity]);
});

test('counts are added bucket by bucket, whatever their lengths', () => {
  const sum = addLatencies([1, 2], [3, 4, 5]);
  expect([sum, countLatencies(sum), countSlower(sum, 0), countSlower(sum, 2)]).toEqual([[4, 6, 5], 15, 11, 0]);
});

test('a quantile needs ten requests that exceed it, and is no bucket without an end', () => {
  const counts = [50, 40, 9, 1];
  expect([findQuantile(counts, 0.5), findQuantile(counts, 0.9)]).toEqual([0, 1]);
  expect(findQuantile(counts, 0.99)).toBeUndefined();
  expect(findQuantile([], 0.5)).toBeUndefined();
  const endless = [...Array.from({ length: BUCKETS - 1 }, () => 0), 100];
  expect(findQuantile(endless, 0.5)).toBeUndefined();
});
