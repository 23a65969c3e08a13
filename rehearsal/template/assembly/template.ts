/** A CloudFormation template, as far as it is read here. */
export interface Template {
  readonly Description?: string;
  readonly Parameters?: Readonly<Record<string, { readonly Type: string; readonly Default?: unknown }>>;
  readonly Mappings?: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Resources?: Readonly<Record<string, Resource>>;
  readonly Outputs?: Readonly<Record<string, Output>>;
}

export interface Output {
  readonly Value: unknown;
  readonly Condition?: string;
  readonly Description?: string;
  readonly Export?: { readonly Name: unknown };
}

export interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
  readonly Metadata?: Readonly<Record<string, unknown>>;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/** A stack of a cloud assembly with what its assets are called in the template. */
export interface Stack {
  readonly name: string;
  readonly region: string;
  readonly account: string;
  readonly template: Template;
  /** Lambda code: the object key in the template → the folder or file in the assembly. */
  readonly files: ReadonlyMap<string, string>;
  /** Images: the tag in the template → the build context in the assembly. */
  readonly images: ReadonlyMap<string, string>;
  /** Values of parameters and of imports that are given, by name. @default - none */
  readonly parameters?: ReadonlyMap<string, string>;
  /** The path of each resource's construct within the stack, by logical id. @default - not known */
  readonly paths?: ReadonlyMap<string, string>;
  /** What a stack of the same assembly exports under a name. @default - nothing is exported */
  readonly importValue?: (name: string) => string | undefined;
  /** The one that was chosen of several, by its name. */
  readonly migration?: string;
}
