export { AdminSecret, AdminSecretProps, AdminSecretRotationOptions } from './admin-secret';
export { Cutover } from './cutover';
export { CutoverAttributes, ICutover } from './cutover-base';
export {
  CutoverApproval,
  CutoverBreaker,
  CutoverDrain,
  CutoverPlan,
  CutoverPlanPart,
  CutoverSmokeRequest,
  CutoverStage,
  GradualPlanProps,
} from './cutover-plan';
export { CutoverProps } from './cutover-props';
export { CutoverSchedule } from './cutover-schedule';
export { CustomDrainProps, DrainProfile } from './drain-profile';
export { Migration, MigrationProps } from './migration';
export { AlarmThresholds, MigrationAlarms, MigrationAlarmsProps } from './migration-alarms';
export { HostedZoneCertificateProps, MigrationCertificate } from './migration-certificate';
export { MigrationDashboard, MigrationDashboardProps } from './migration-dashboard';
export { MigrationLoadBalancer } from './migration-load-balancer';
export { IMigrationLoadBalancer, MigrationLoadBalancerAttributes } from './migration-load-balancer-base';
export { MigrationLoadBalancerProps, SmokeTestProps } from './migration-load-balancer-props';
export { MigrationSide } from './migration-side';
export { MutualTls, MutualTlsBundleOptions, MutualTlsOptions } from './mutual-tls';
export { NetworkFront, NetworkFrontProps } from './network-front';
export { Ec2ComputeProps, FargateSpotProps, ProxyCompute } from './proxy-compute';
export { ProxyImage, ProxyImageBuildOptions, ProxyImageOptions, ProxyImagePackageOptions } from './proxy-image';
export { ProxyScaling } from './proxy-scaling';
export { ProxyService } from './proxy-service';
export { IProxyService, ProxyServiceAttributes } from './proxy-service-base';
export { ProxyOptions, ProxyServiceProps } from './proxy-service-props';
export { SelfSignedCertificate, SelfSignedCertificateProps } from './self-signed-certificate';
export { SessionStore } from './session-store';
export {
  ISessionStore,
  SessionStoreAttributes,
  SessionStoreAuthentication,
  SessionStoreProps,
} from './session-store-props';
export { ProxyHealthCheck, StickyTargetGroup, StickyTargetGroupProps } from './sticky-target-group';
export { SmokeRoute } from './smoke-route';
export { TrafficWeights } from './traffic-weights';
export { TrustedAuthorities, TrustedAuthoritiesProps } from './trusted-authorities';
export { WeightedRule, WeightedRuleProps } from './weighted-rule';
