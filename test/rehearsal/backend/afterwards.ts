interface Stoppable {
  stop(): Promise<unknown>;
}

/** Stops what a test has started, also when it fails: last things first. */
export function afterwards(): <Thing extends Stoppable>(thing: Thing) => Thing {
  const started: Stoppable[] = [];
  afterEach(async () => {
    for (const thing of started.splice(0).reverse()) await thing.stop();
  });
  return (thing) => {
    started.push(thing);
    return thing;
  };
}
