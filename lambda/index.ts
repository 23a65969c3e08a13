/**
 * The one bundle that is deployed: a handler a step, by the step's name, and those of the custom resources. Each function may do
 * only what its own role allows.
 */
export { handler as approve } from './steps/approve';
export { handler as bake } from './steps/bake';
export { handler as certificate } from './resources/certificate/handler';
export { handler as complete } from './steps/complete';
export { handler as confirm } from './steps/confirm';
export { handler as doctor } from './steps/doctor';
export { handler as drain } from './steps/drain';
export { handler as holdDryRun } from './steps/hold-dry-run';
export { handler as hook } from './steps/hook';
export { handler as lock } from './steps/lock';
export { handler as preflight } from './steps/preflight';
export { handler as proof } from './resources/proof/handler';
export { handler as record } from './steps/record';
export { handler as recover } from './steps/recover';
export { handler as rollback } from './steps/rollback';
export { handler as rotation } from './resources/rotation/handler';
export { handler as shift } from './steps/shift';
export { handler as switch } from './steps/switch';
export { handler as undrain } from './steps/undrain';
export { handler as verify } from './steps/verify';
export { handler as weightedRule } from './resources/weighted-rule/handler';
