import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  AlarmStatusWidgetSortBy,
  Color,
  Dashboard,
  GraphWidget,
  GraphWidgetProps,
  IMetric,
  IWidget,
  LegendPosition,
  SingleValueWidget,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { CONNECTION_KINDS } from '../../core/proxy/connections';
import { ICutover } from '../cutover/cutover-base';
import { checkNames } from '../validation/known-props';
import { MigrationAlarms } from './migration-alarms';
import { IMigrationLoadBalancer } from '../load-balancer/migration-load-balancer-base';
import {
  METRIC_PERIOD,
  loadBalancerErrors,
  listLooks,
  rejectedConnections,
  sideMetrics,
  SideMetrics,
  targetShare,
  weights,
} from './migration-metrics';
import { MigrationSide } from '../traffic/migration-side';
import { IProxyService } from '../proxy/proxy-service-base';
import { ReplayService } from '../replay/replay-service';
import { checkSides, reject, isLater } from '../validation/validation';

export interface MigrationDashboardProps {
  /** The load balancer that shares the traffic. */
  readonly loadBalancer: IMigrationLoadBalancer;

  /** The proxies before the backend that serves today. */
  readonly source: IProxyService;

  /** The proxies before the backend that will serve. */
  readonly target: IProxyService;

  /** What moves the traffic. */
  readonly cutover: ICutover;

  /**
   * The alarms that the first row shows.
   * @default - none: the first row has values alone
   */
  readonly alarms?: MigrationAlarms;

  /**
   * The name of the dashboard: letters, digits, hyphens and underscores.
   * @default - CloudFormation's own
   */
  readonly dashboardName?: string;

  /**
   * What it shows when it is opened, back from now.
   * @default Duration.hours(3)
   */
  readonly defaultInterval?: Duration;
}

/** A dashboard is 24 units wide. */
const WIDTH = 24;
const HALF = WIDTH / 2;
const THIRD = WIDTH / 3;
const HEIGHT = 6;
const NEVER_BELOW_ZERO = { min: 0, showUnits: false };
const LIVE = { height: HEIGHT, liveData: true, legendPosition: LegendPosition.BOTTOM, leftYAxis: NEVER_BELOW_ZERO };

/**
 * A CloudWatch dashboard for the operator of a cutover. Its first row says whether it is safe to go on; below it are
 * where the traffic goes, how each side responds, what is still connected, and what the machines have left.
 *
 * @example
 * new MigrationDashboard(this, 'Dashboard', {
 *   loadBalancer,
 *   source: sourceProxies,
 *   target: targetProxies,
 *   cutover,
 * });
 */
export class MigrationDashboard extends Construct {
  public readonly dashboard: Dashboard;

  constructor(scope: Construct, id: string, props: MigrationDashboardProps) {
    super(scope, id);
    checkNames('MigrationDashboardProps', props);
    checkName(props.dashboardName);
    checkSides(props);
    const source = sideMetrics(props.source, listLooks(MigrationSide.SOURCE));
    const target = sideMetrics(props.target, listLooks(MigrationSide.TARGET));
    this.dashboard = new Dashboard(this, 'Dashboard', {
      dashboardName: props.dashboardName,
      defaultInterval: props.defaultInterval ?? Duration.hours(3),
      widgets: [
        [heading(props)],
        safety(props, source, target),
        traffic(props.cutover, source, target),
        responds(source, target),
        connections(source, target),
        capacity(props.loadBalancer, source, target),
        ...recording([source, target]),
        executions(props.cutover),
      ],
    });
  }

  /** Adds a row about a replay: how far it is behind, what it sends, and what the target lacks. */
  public addReplay(replay: ReplayService): void {
    const period = METRIC_PERIOD;
    const { replayName } = replay;
    this.dashboard.addWidgets(
      graph(`Lag of the replay ${replayName}, in seconds`, [replay.metricLag({ period, label: 'Lag' })]),
      graph('Replayed in a minute', [
        replay.metricSent({ period, label: 'Sent', color: Color.GREEN }),
        replay.metricFailed({ period, label: 'Failed attempts', color: Color.RED }),
      ]),
      graph('Requests that the target lacks, or got too late, in a minute', [
        replay.metricParked({ period, label: 'Parked', color: Color.RED }),
        replay.metricReordered({ period, label: 'Reordered', color: Color.ORANGE }),
      ]),
    );
  }
}

function heading({ cutover }: MigrationDashboardProps): IWidget {
  const { region } = cutover.env;
  const arn = cutover.stateMachine.stateMachineArn;
  const url = `https://console.aws.amazon.com/states/home?region=${region}#/statemachines/view/${arn}`;
  const markdown = [
    `**Go on** while the first row is quiet: no alarm, proxies on both sides, no errors of the target.`,
    `**Go back** by [stopping the execution](${url}): its traffic is put back. Blue is the source, orange the target.`,
  ].join('  \n');
  return new TextWidget({ markdown, width: WIDTH, height: 2 });
}

/** Is it safe to go on? */
function safety({ alarms }: MigrationDashboardProps, source: SideMetrics, target: SideMetrics): IWidget[] {
  const values = (title: string, metrics: IMetric[], width: number) =>
    new SingleValueWidget({ title, metrics, width, height: HEIGHT, sparkline: true });
  const width = alarms ? HALF / 3 : THIRD;
  const row: IWidget[] = [
    values('Healthy proxies', [source.healthy, target.healthy], width),
    values('5xx responses, in percent', [source.errorPercent, target.errorPercent], width),
    values('Slowest in a hundred, in seconds', [source.latency('p99'), target.latency('p99')], width),
  ];
  if (alarms) row.unshift(alarmStatus(alarms));
  return row;
}

function alarmStatus({ alarms }: MigrationAlarms): IWidget {
  return new AlarmStatusWidget({
    title: 'Is it safe to go on?',
    alarms,
    sortBy: AlarmStatusWidgetSortBy.STATE_UPDATED_TIMESTAMP,
    width: HALF,
    height: HEIGHT,
  });
}

/** Where does the traffic go? */
function traffic(cutover: ICutover, source: SideMetrics, target: SideMetrics): IWidget[] {
  return [
    graph('Weights, as the last cutover set them', weights(cutover)),
    graph('Requests in a minute', [source.requests, target.requests], { stacked: true }),
    graph('Share of the requests that the target got, in percent', [targetShare(source, target)], {
      leftYAxis: { ...NEVER_BELOW_ZERO, max: 100 },
    }),
  ];
}

/** How does each side respond? */
function responds(source: SideMetrics, target: SideMetrics): IWidget[] {
  const latency = (title: string, side: SideMetrics) => graph(title, ['p50', 'p99'].map(side.latency));
  return [
    graph('5xx responses in a minute', [source.errors, target.errors]),
    latency('Time to the response of the source, in seconds', source),
    latency('Time to the response of the target, in seconds', target),
  ];
}

/** What is still connected? */
function connections(source: SideMetrics, target: SideMetrics): IWidget[] {
  const live = (title: string, side: SideMetrics) => graph(title, CONNECTION_KINDS.map(side.live), { stacked: true });
  return [
    live('Live connections of the source', source),
    live('Live connections of the target', target),
    graph('Connections that a drain waits for, at most on one proxy', [source.drainRemaining, target.drainRemaining]),
  ];
}

/** What have the machines left? */
function capacity(loadBalancer: IMigrationLoadBalancer, source: SideMetrics, target: SideMetrics): IWidget[] {
  return [
    graph('Proxies', [source.proxies, target.proxies]),
    graph('CPU of the proxies, in percent', [source.cpu, target.cpu]),
    graph('Errors of the load balancer itself in a minute', [
      loadBalancerErrors(loadBalancer),
      rejectedConnections(loadBalancer, { label: 'Rejected connections', color: Color.ORANGE }),
    ]),
  ];
}

/** Is all recorded? Only where proxies record. */
function recording(sides: SideMetrics[]): IWidget[][] {
  const captures = sides.flatMap(({ capture }) => capture ?? []);
  if (captures.length === 0) return [];
  return [
    [
      graph(
        'What came in a minute and has no record',
        captures.flatMap(({ unrecorded, rejected, lost }) => [unrecorded, rejected, lost]),
        { width: HALF },
      ),
      graph(
        'Longest wait for a record, in milliseconds',
        captures.map(({ pending }) => pending),
        { width: HALF },
      ),
    ],
  ];
}

/** What did the cutovers come to? */
function executions(cutover: ICutover): IWidget[] {
  const sum = (label: string, color: string) => ({ statistic: 'Sum', label, color, period: METRIC_PERIOD });
  const metrics = [
    cutover.metricStarted(sum('Started', Color.BLUE)),
    cutover.metricSucceeded(sum('Completed', Color.GREEN)),
    cutover.metricFailed(sum('Rejected, rolled back or failed', Color.RED)),
    cutover.metricAborted(sum('Stopped by a person', Color.ORANGE)),
    cutover.metricTimedOut(sum('Timed out', Color.BROWN)),
  ];
  return [
    new SingleValueWidget({
      title: 'Cutovers in the time that is shown',
      metrics,
      width: HALF,
      height: HEIGHT,
      setPeriodToTimeRange: true,
    }),
    graph('Cutovers', metrics, { width: HALF }),
  ];
}

function graph(title: string, left: IMetric[], props: GraphWidgetProps = {}): IWidget {
  return new GraphWidget({ title, left, width: THIRD, ...LIVE, ...props });
}

function checkName(name: string | undefined): void {
  if (name === undefined || isLater(name)) return;
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(name)) {
    reject('dashboardName', 'from 1 to 255 letters, digits, hyphens and underscores', name);
  }
}
