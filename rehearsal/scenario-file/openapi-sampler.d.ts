/** What is used of it; its own types ask for those of JSON Schema. */
declare module 'openapi-sampler' {
  export function sample(
    schema: object,
    options: { readonly quiet: boolean; readonly skipReadOnly: boolean },
    document: object,
  ): unknown;
}
