// Preloaded into an app: has the rules AwsSolutions of cdk-nag checked when it synthesizes. The app need not know.
import { createRequire } from 'node:module';

// As the app loads them: an import would read every module of the CDK at once.
const require = createRequire(import.meta.url);
const { App, Stage, Validations } = require('aws-cdk-lib');
const { AwsSolutionsChecks } = require('cdk-nag');

/** What neither the constructs nor the examples can choose. */
const NOT_OURS = [
  {
    path: /^Pipeline\/Pipeline\//,
    reason: 'The roles and the bucket of artifacts are made by aws-cdk-lib/pipelines, which scopes them itself.',
  },
];

class Checks extends AwsSolutionsChecks {
  validate(context) {
    const violations = super.validate(context).violations.flatMap((violation) => {
      const violatingResources = violation.violatingResources.filter(
        ({ constructPath }) => !NOT_OURS.some(({ path }) => path.test(constructPath)),
      );
      return violatingResources.length > 0 ? [{ ...violation, violatingResources }] : [];
    });
    return { success: violations.length === 0, violations };
  }
}

const { synth } = Stage.prototype;
const checked = new WeakSet();

Stage.prototype.synth = function (...options) {
  if (this instanceof App && !checked.has(this)) {
    checked.add(this);
    Validations.of(this).addPlugins(new Checks(this, { verbose: true }));
  }
  return synth.apply(this, options);
};
