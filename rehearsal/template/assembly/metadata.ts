/** What a manifest says of constructs, by the path of each. */
export type Metadata = Readonly<Record<string, readonly MetadataEntry[]>>;

interface MetadataEntry {
  readonly type: string;
  readonly data?: unknown;
}

const NESTED = /^(.*\/([^/]+))\.NestedStack\/\2\.NestedStackResource$/;

/** The path of each resource's construct within its stack, by its logical id, which in a nested stack has the stack's in front. */
export function listPaths(metadata: Metadata, stackPath: string): Map<string, string> {
  const ids = Object.entries(metadata).flatMap(([path, entries]) => {
    const id = entries.find(({ type }) => type === 'aws:cdk:logicalId')?.data;
    return typeof id === 'string' ? [{ path, id }] : [];
  });
  const nested = ids.flatMap(({ path, id }) => {
    const found = NESTED.exec(path)?.[1];
    return found === undefined ? [] : [{ within: `${found}/`, id }];
  });
  nested.sort((a, b) => a.within.length - b.within.length);
  const findPrefix = (path: string) => nested.filter(({ within }) => path.startsWith(within)).map(({ id }) => id).join(''); // prettier-ignore
  const start = `/${stackPath}/`;
  return new Map(
    ids.map(
      ({ path, id }) => [findPrefix(path) + id, path.startsWith(start) ? path.slice(start.length) : path] as const,
    ),
  );
}

/** An asset of the legacy synthesizer, which is in no manifest of assets. */
interface LegacyAsset {
  readonly path: string;
  readonly packaging: 'zip' | 'file' | 'container-image';
  readonly sourceHash: string;
  readonly imageTag?: string;
  readonly s3BucketParameter?: string;
  readonly s3KeyParameter?: string;
  readonly artifactHashParameter?: string;
}

export interface LegacyAssets {
  readonly files: ReadonlyMap<string, string>;
  readonly images: ReadonlyMap<string, string>;
  /** What a deployment would give to the parameters of the template. */
  readonly parameters: ReadonlyMap<string, string>;
}

/** @see https://docs.aws.amazon.com/cdk/v2/guide/configure-synth.html (LegacyStackSynthesizer) */
export function legacyAssets(metadata: Metadata, inRoot: (path: string) => string): LegacyAssets {
  const assets = Object.values(metadata)
    .flat()
    .filter(({ type }) => type === 'aws:cdk:asset')
    .map(({ data }) => data as LegacyAsset);
  const isImage = ({ packaging }: LegacyAsset) => packaging === 'container-image';
  const files = assets.filter((asset) => !isImage(asset));
  return {
    files: new Map(files.map(({ sourceHash, path }) => [sourceHash, inRoot(path)])),
    images: new Map(
      assets.filter(isImage).map(({ imageTag, sourceHash, path }) => [imageTag ?? sourceHash, inRoot(path)]),
    ),
    parameters: new Map(files.flatMap(listParameters)),
  };
}

function listParameters(asset: LegacyAsset): [string, string][] {
  const { s3BucketParameter, s3KeyParameter, artifactHashParameter, sourceHash, packaging } = asset;
  // A prefix and a name, as the templates take it apart.
  const key = `assets/||${sourceHash}${packaging === 'zip' ? '.zip' : ''}`;
  const pairs = [
    [s3BucketParameter, 'assets'],
    [s3KeyParameter, key],
    [artifactHashParameter, sourceHash],
  ] as const;
  return pairs.flatMap(([name, value]) => (name === undefined ? [] : [[name, value] as [string, string]]));
}
