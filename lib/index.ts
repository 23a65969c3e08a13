export { AdminSecret } from './admin-secret';
export { Cutover, CutoverProps } from './cutover';
export {
  CutoverApproval,
  CutoverBreaker,
  CutoverDrain,
  CutoverPlan,
  CutoverSmokeRequest,
  CutoverStage,
  GradualPlanProps,
} from './cutover-plan';
export { CutoverSchedule } from './cutover-schedule';
export { CustomDrainProps, DrainProfile } from './drain-profile';
export { Migration, MigrationProps } from './migration';
export { MigrationAlarms, MigrationAlarmsProps } from './migration-alarms';
export { HostedZoneCertificateProps, MigrationCertificate } from './migration-certificate';
export { MigrationDashboard, MigrationDashboardProps } from './migration-dashboard';
export { MigrationLoadBalancer, MigrationLoadBalancerProps, SmokeTestProps } from './migration-load-balancer';
export { MigrationSide } from './migration-side';
export { MutualTls, MutualTlsBundleOptions, MutualTlsOptions } from './mutual-tls';
export { NetworkFront, NetworkFrontProps } from './network-front';
export { Ec2ComputeProps, FargateSpotProps, ProxyCompute } from './proxy-compute';
export { ProxyImage, ProxyImageBuildOptions, ProxyImageOptions } from './proxy-image';
export { ProxyScaling } from './proxy-scaling';
export { ProxyOptions, ProxyService, ProxyServiceProps } from './proxy-service';
export { SelfSignedCertificate, SelfSignedCertificateProps } from './self-signed-certificate';
export {
  ISessionStore,
  SessionStore,
  SessionStoreAttributes,
  SessionStoreAuthentication,
  SessionStoreProps,
} from './session-store';
export { ProxyHealthCheck, StickyTargetGroup, StickyTargetGroupProps } from './sticky-target-group';
export { TrafficWeights } from './traffic-weights';
export { WeightedRule, WeightedRuleProps } from './weighted-rule';
