export { AdminSecret, AdminSecretProps, AdminSecretRotationOptions } from './proxy/admin-secret';
export { Cutover } from './cutover/cutover';
export { CutoverAttributes, ICutover } from './cutover/cutover-base';
export {
  CloseAge,
  CloseKinds,
  CutoverApproval,
  CutoverBreaker,
  CaptureReplay,
  CutoverCapture,
  CutoverCloseOrder,
  CutoverDay,
  CutoverDrain,
  CutoverJudge,
  CutoverPlan,
  CutoverPlanOptions,
  CutoverPlanPart,
  CutoverRollbackPace,
  CutoverSmokeRequest,
  CutoverStage,
  CutoverStickiness,
  CutoverWindow,
  DrainThenShiftPlanProps,
  GradualPlanProps,
  JudgeAction,
  PointOfNoReturn,
  RollbackCapacity,
  SwitchFence,
  SwitchReplay,
  SwitchRollback,
} from './plan/cutover-plan';
export {
  HttpSwitchHookProps,
  SwitchHook,
  SwitchHookOptions,
  SwitchHookTimeouts,
  SwitchProbeWrite,
} from './plan/switch-hook';
export {
  CheckpointStateTransferProps,
  HttpStateTransferProps,
  StateStore,
  StateTransfer,
  StateTransferOptions,
  ValkeyMethod,
  ValkeyStateTransferProps,
} from './plan/state-transfer';
export { CheckpointEngine, CheckpointHost, CheckpointHosts, CheckpointHostsProps } from './plan/checkpoint-hosts';
export { ConnectionMoves } from './traffic/connection-moves';
export { CutoverProps } from './cutover/cutover-props';
export {
  CutoverHook,
  CutoverHookFailure,
  CutoverHookOptions,
  CutoverHookSide,
  CutoverHookTime,
  HttpCutoverHookProps,
  UrlCutoverHookProps,
} from './plan/cutover-hook';
export { CutoverReadiness } from './cutover/cutover-readiness';
export { CutoverSchedule } from './plan/cutover-schedule';
export { CustomDrainProps, DrainProfile } from './shared/drain-profile';
export { Migration, MigrationProps } from './migration/migration';
export {
  AlarmThresholds,
  MigrationAlarms,
  MigrationAlarmsProps,
  ReplayAlarmOptions,
} from './monitoring/migration-alarms';
export { HostedZoneCertificateProps, MigrationCertificate } from './certificates/migration-certificate';
export { MigrationDashboard, MigrationDashboardProps } from './monitoring/migration-dashboard';
export { MigrationLoadBalancer } from './load-balancer/migration-load-balancer';
export { IMigrationLoadBalancer, MigrationLoadBalancerAttributes } from './load-balancer/migration-load-balancer-base';
export { MigrationLoadBalancerProps, SmokeTestProps } from './load-balancer/migration-load-balancer-props';
export { MigrationSide } from './traffic/migration-side';
export { MutualTls, MutualTlsBundleOptions, MutualTlsOptions } from './load-balancer/mutual-tls';
export { NetworkFront, NetworkFrontProps } from './load-balancer/network-front';
export { Ec2ComputeProps, FargateSpotProps, ProxyCompute } from './proxy/proxy-compute';
export { ProxyImage, ProxyImageBuildOptions, ProxyImageOptions, ProxyImagePackageOptions } from './proxy/proxy-image';
export { ProxyScaling } from './proxy/proxy-scaling';
export { ProxyService } from './proxy/proxy-service';
export { IProxyService, ProxyServiceAttributes } from './proxy/proxy-service-base';
export { CaptureStream, CaptureStreamProps } from './proxy/capture-stream';
export { CaptureStreamAttributes, ICaptureStream } from './proxy/capture-stream-base';
export { BucketCaptureOptions, CaptureFailure, TrafficCapture, TrafficCaptureOptions } from './proxy/traffic-capture';
export { ReplayService } from './replay/replay-service';
export { ReplayServiceProps } from './replay/replay-service-props';
export { MirroredMethods, TrafficMirror } from './proxy/traffic-mirror';
export { ProxyOptions, ProxyServiceProps } from './proxy/proxy-service-props';
export { SelfSignedCertificate, SelfSignedCertificateProps } from './certificates/self-signed-certificate';
export { SessionStore } from './session-store/session-store';
export {
  ISessionStore,
  SessionStoreAttributes,
  SessionStoreAuthentication,
  SessionStoreProps,
} from './session-store/session-store-props';
export { ProxyHealthCheck, StickyTargetGroup, StickyTargetGroupProps } from './load-balancer/sticky-target-group';
export { SmokeRoute } from './cutover/smoke-route';
export { TrafficWeights } from './traffic/traffic-weights';
export { TrustedAuthorities, TrustedAuthoritiesProps } from './certificates/trusted-authorities';
export { WeightedRule, WeightedRuleProps } from './load-balancer/weighted-rule';
