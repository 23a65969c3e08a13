/** Sockets to proxies at a time: a function has 1,024 file descriptors. */
export const CALLS_AT_ONCE = 200;

/** The results in the order of the items, with so many at work at a time. */
export async function pooled<In, Out>(
  items: readonly In[],
  size: number,
  work: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const done: Out[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) done[at] = await work(items[at] as In);
  };
  await Promise.all(Array.from({ length: Math.min(size, items.length) }, worker));
  return done;
}
