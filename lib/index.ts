export { AdminSecret } from './admin-secret';
export { Cutover, CutoverProps } from './cutover';
export {
  CutoverBreaker,
  CutoverDrain,
  CutoverPlan,
  CutoverSmokeRequest,
  CutoverStage,
  GradualPlanProps,
} from './cutover-plan';
export { Migration, MigrationBackend, MigrationProps } from './migration';
export { MigrationLoadBalancer, MigrationLoadBalancerProps } from './migration-load-balancer';
export { MigrationSide } from './migration-side';
export { ProxyService, ProxyServiceProps } from './proxy-service';
export { StickyTargetGroup, StickyTargetGroupProps } from './sticky-target-group';
export { TrafficWeights } from './traffic-weights';
