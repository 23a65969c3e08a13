/**
 * A transform of Jest: Node.js itself loads the module, once in a process, where Jest would load it again for every test file. For
 * libraries that take long to load and that no test mocks or changes.
 *
 * @type {import('@jest/transform').SyncTransformer}
 */
export default {
  getCacheKey: (_source, path) => `requireOutsideTheSandbox ${path}`,
  process: (_source, path) => ({
    code: `module.exports = globalThis.requireOutsideTheSandbox(${JSON.stringify(path)});`,
  }),
};
