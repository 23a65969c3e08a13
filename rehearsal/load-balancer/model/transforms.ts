import { AwsError } from '../../errors/aws-error';
import { Rule, RuleTransform } from './model';

/** What the service's expressions have not got, beside what JavaScript's have not got either. */
const NOT_SUPPORTED = /\(\?(?:[=!<>]|[a-zA-Z]*\))|\\[1-9kpP]|[*+?}]\+/;
const MAX_TEXT = 1024;

/** A request as a rule rewrites it. */
export interface Rewritten {
  readonly host: string;
  /** Path and query. */
  readonly url: string;
}

/**
 * @throws AwsError ValidationError for what the service rejects in a rule
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-transforms.html
 */
export function checkTransforms({ priority, transforms = [] }: Pick<Rule, 'priority' | 'transforms'>): void {
  if (transforms.length === 0) return;
  if (priority === 'default') throw invalid('A default rule cannot have transforms');
  const types = transforms.map(({ type }) => type);
  const twice = types.find((type, index) => types.indexOf(type) !== index);
  if (twice !== undefined) throw invalid(`A rule can have one transform of type '${twice}'`);
  for (const { type, rewrites } of transforms) {
    if (rewrites.length === 0) throw invalid(`A transform of type '${type}' must have a rewrite`);
    for (const { regex, replace } of rewrites) checkRewrite(regex, replace);
  }
}

function checkRewrite(regex: string, replace: string): void {
  if (regex === '' || regex.length > MAX_TEXT || replace.length > MAX_TEXT) {
    throw invalid(`A rewrite must have at most ${MAX_TEXT} characters, and an expression`);
  }
  if (NOT_SUPPORTED.test(regex) || !isExpression(regex)) throw invalid(`Regex '${regex}' is not valid`);
}

function isExpression(regex: string): boolean {
  try {
    return new RegExp(regex) instanceof RegExp;
  } catch {
    return false;
  }
}

/**
 * The request as the target gets it; undefined when what comes of it is none, to which the service responds with 500. Without
 * a match it stays as it is.
 */
export function rewrite(transforms: readonly RuleTransform[], request: Rewritten): Rewritten | undefined {
  const apply = (type: RuleTransform['type'], text: string): string => {
    const rewrites = transforms.find((transform) => transform.type === type)?.rewrites ?? [];
    const fitting = rewrites.find(({ regex }) => new RegExp(regex).test(text));
    return fitting ? text.replace(new RegExp(fitting.regex), fitting.replace) : text;
  };
  const { host, url } = request;
  const next = { host: apply('host-header-rewrite', host), url: apply('url-rewrite', url) };
  const isValid = /^[^\s/?#@\\]+$/.test(next.host) && (next.url === url || /^\/[\x21-\x7e]*$/.test(next.url));
  return isValid ? next : undefined;
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationError', message);
}
