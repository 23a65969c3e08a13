import { Token } from 'aws-cdk-lib';
import { IRepository } from 'aws-cdk-lib/aws-ecr';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import { ContainerImage, CpuArchitecture } from 'aws-cdk-lib/aws-ecs';
import { PROXY_COMMAND, proxyAsset } from '../shared/assets';
import { checkNames } from '../validation/known-props';
import { reject } from '../validation/validation';

export interface ProxyImagePackageOptions {
  /**
   * Where the image `node` is pulled from when the proxy's image is built: a mirror of Docker Hub's official images, with the path
   * that they have there. Its copy must have the same digest.
   * @default docker.io/library
   */
  readonly nodeRegistry?: string;

  /**
   * Where the image `cc-debian12` is pulled from when the proxy's image is built: a mirror of the distroless images, with
   * the path that they have there. Its copy must have the same digest.
   * @default gcr.io/distroless
   */
  readonly distrolessRegistry?: string;
}

export interface ProxyImageOptions {
  /**
   * What the container runs.
   * @default - the image's own command
   */
  readonly command?: string[];
}

export interface ProxyImageBuildOptions extends ProxyImageOptions {
  /**
   * The Dockerfile, in the directory.
   * @default Dockerfile
   */
  readonly file?: string;

  /**
   * Arguments of the build; they end up in the image's history, so no secrets.
   * @default - none
   */
  readonly buildArgs?: { [key: string]: string };

  /**
   * The stage to build.
   * @default - the last one
   */
  readonly target?: string;
}

/** What a container definition needs to know of an image. */
interface BoundImage {
  readonly image: ContainerImage;
  readonly command?: string[];
  readonly workingDirectory?: string;
}

/**
 * Where the image of the proxies comes from. Whatever it is, it runs as user 65532 on a read-only root file system.
 *
 * @example
 * const repository = ecr.Repository.fromRepositoryName(this, 'Repository', 'drainshift-proxy');
 * const image = ProxyImage.fromEcrRepository(repository, '1.4.2');
 */
export abstract class ProxyImage {
  /**
   * Built from this package, on base images whose digests the package names. The rehearsal knows no other one.
   *
   * @param options where the base images come from; nothing else is downloaded for the build
   */
  public static fromPackage(options: ProxyImagePackageOptions = {}): ProxyImage {
    checkNames('ProxyImagePackageOptions', options);
    return new PackageImage(options);
  }

  /**
   * One that is in a repository already, for the processors that the proxies run on.
   *
   * @param tagOrDigest a tag that is not moved, or `sha256:…`: a task that starts later must run the same image
   */
  public static fromEcrRepository(
    repository: IRepository,
    tagOrDigest: string,
    options: ProxyImageOptions = {},
  ): ProxyImage {
    checkNames('ProxyImageOptions', options);
    if (tagOrDigest === '' || tagOrDigest === 'latest') reject('tagOrDigest', 'a tag that is not moved', tagOrDigest);
    return new RepositoryImage(repository, tagOrDigest, options);
  }

  /**
   * Built from a Dockerfile of yours. Begin with the package's image, or put `proxy.js` of the package into your own.
   *
   * @param directory the build context
   */
  public static fromDirectory(directory: string, options: ProxyImageBuildOptions = {}): ProxyImage {
    checkNames('ProxyImageBuildOptions', options);
    return new DirectoryImage(directory, options);
  }

  /** @internal */
  public abstract _bind(cpuArchitecture: CpuArchitecture): BoundImage;
}

class PackageImage extends ProxyImage {
  private readonly buildArgs: Record<string, string>;

  constructor({ nodeRegistry, distrolessRegistry }: ProxyImagePackageOptions) {
    super();
    this.buildArgs = {
      ...(nodeRegistry !== undefined && { NODE_REGISTRY: checkRegistry('nodeRegistry', nodeRegistry) }),
      ...(distrolessRegistry !== undefined && {
        DISTROLESS_REGISTRY: checkRegistry('distrolessRegistry', distrolessRegistry),
      }),
    };
  }

  public _bind(cpuArchitecture: CpuArchitecture): BoundImage {
    const image = ContainerImage.fromAsset(proxyAsset(), {
      platform: findPlatform(cpuArchitecture),
      buildArgs: this.buildArgs,
    });
    return { image, command: [...PROXY_COMMAND], workingDirectory: '/app' };
  }
}

class RepositoryImage extends ProxyImage {
  constructor(
    private readonly repository: IRepository,
    private readonly tagOrDigest: string,
    private readonly options: ProxyImageOptions,
  ) {
    super();
  }

  public _bind(): BoundImage {
    const image = ContainerImage.fromEcrRepository(this.repository, this.tagOrDigest);
    return { image, command: this.options.command };
  }
}

class DirectoryImage extends ProxyImage {
  constructor(
    private readonly directory: string,
    private readonly options: ProxyImageBuildOptions,
  ) {
    super();
  }

  public _bind(cpuArchitecture: CpuArchitecture): BoundImage {
    const { command, ...build } = this.options;
    const image = ContainerImage.fromAsset(this.directory, { ...build, platform: findPlatform(cpuArchitecture) });
    return { image, command };
  }
}

/** A host, a port where it has one, and a path; the build has no use for what is known only at deployment. */
const REGISTRY = /^[a-z0-9]+([.-][a-z0-9]+)*(:[0-9]{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;

function checkRegistry(name: string, registry: string): string {
  if (Token.isUnresolved(registry)) reject(name, 'known at synthesis', 'a token');
  if (!REGISTRY.test(registry)) reject(name, 'HOST[:PORT][/PATH] in lowercase, without a scheme', `'${registry}'`);
  return registry;
}

function findPlatform(cpuArchitecture: CpuArchitecture): Platform {
  return cpuArchitecture === CpuArchitecture.X86_64 ? Platform.LINUX_AMD64 : Platform.LINUX_ARM64;
}
