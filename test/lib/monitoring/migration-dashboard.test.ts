import { Duration, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { NO_CONNECTIONS } from '../../../core/proxy/connections';
import { MetricLine, captureLine, drainLine, liveLines, trafficLine } from '../../../core/proxy/embedded-metrics';
import { CutoverConfig } from '../../../core/cutover/cutover-config';
import { metricsPort } from '../../../lambda/adapters/metrics';
import { MigrationAlarms } from '../../../lib/monitoring/migration-alarms';
import { MigrationDashboard, MigrationDashboardProps } from '../../../lib/monitoring/migration-dashboard';
import { TrafficCapture } from '../../../lib/proxy/traffic-capture';
import { newStack, resourceLike } from '../fixture';
import { importedParts, LOAD_BALANCER, newCutover, newParts, Parts } from '../migration-parts';

interface Widget {
  readonly type: 'alarm' | 'metric' | 'text';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: {
    readonly title?: string;
    readonly markdown?: string;
    readonly alarms?: string[];
    readonly view?: string;
    readonly metrics?: unknown[][];
  };
}

function show(stack: Stack, parts: Parts, props: Partial<MigrationDashboardProps> = {}): Template {
  new MigrationDashboard(stack, 'Dashboard', { ...parts, cutover: newCutover(stack, parts), ...props });
  return Template.fromStack(stack);
}

const findDashboard = (template: Template) => resourceLike(template, 'AWS::CloudWatch::Dashboard', /./)[1].Properties;

/** The body with every reference as `<LogicalId>` or `<LogicalId.Attribute>`. */
function findWidgets(template: Template): Widget[] {
  const body = findDashboard(template).DashboardBody as { 'Fn::Join': [string, unknown[]] };
  const text = body['Fn::Join'][1].map((part) => (typeof part === 'string' ? part : formatName(part))).join('');
  return (JSON.parse(text) as { widgets: Widget[] }).widgets;
}

function formatName(reference: unknown): string {
  const { Ref, 'Fn::GetAtt': attribute } = reference as { Ref?: string; 'Fn::GetAtt'?: [string, string] };
  return `<${Ref ?? attribute?.join('.') ?? JSON.stringify(reference).replace(/"/g, "'")}>`;
}

function titled(widgets: readonly Widget[], title: RegExp): Widget {
  const found = widgets.filter(({ properties }) => title.test(properties.title ?? ''));
  expect(found.map(({ properties }) => properties.title)).toHaveLength(1);
  return found[0] as Widget;
}

/** The names of what a widget draws, or its expressions. */
function drawn({ properties }: Widget): string[] {
  return (properties.metrics ?? []).flatMap((row) => {
    const last = row.at(-1) as { expression?: string; visible?: boolean };
    if (typeof last === 'object' && last.expression !== undefined) return [last.expression];
    return typeof last === 'object' && last.visible === false ? [] : [String(row[1])];
  });
}

const signature = (name: string, dimensions: readonly string[]) => `${name} of ${[...dimensions].sort().join(', ')}`;

/** Of a row of a widget behind the name of its metric: names and values by turns, and last how it looks. */
const dimensionNames = (rest: readonly unknown[]) =>
  rest.slice(0, -1).filter((_, index) => index % 2 === 0) as string[];

/** What the proxies and the steps write. */
function published(): string[] {
  const { write } = process.stdout;
  const lines: MetricLine[] = [
    ...liveLines('shop', NO_CONNECTIONS, 0),
    trafficLine('shop', { requests: 0, errors: 0, latencies: [1] }, 0),
    drainLine('shop', NO_CONNECTIONS, 0),
    captureLine('shop', { unrecorded: 0, refused: 0, lost: 0, pendingMs: 0 }, 0),
  ];
  process.stdout.write = (text: unknown) => lines.push(JSON.parse(String(text)) as MetricLine) > 0;
  metricsPort({ cutoverName: 'Cutover' } as CutoverConfig).weights({ source: 1, target: 0 }, 0);
  process.stdout.write = write;
  return lines.flatMap(({ _aws }) =>
    _aws.CloudWatchMetrics.flatMap(({ Dimensions, Metrics }) =>
      Metrics.flatMap(({ Name }) => Dimensions.map((names) => signature(Name, names))),
    ),
  );
}

describe('default', () => {
  const stack = newStack();
  const parts = newParts(stack);
  const template = show(stack, parts);
  const widgets = findWidgets(template);

  test('says on top how to roll back', () => {
    const [first] = widgets;
    expect(first?.y).toBe(0);
    expect(first?.properties.markdown).toMatch(/Go back.+statemachines\/view\/<CutoverStateMachine\w+>/s);
  });

  test('says first whether it is safe to go on, in values', () => {
    const row = widgets.filter(({ y }) => y === 2);
    expect(row.map(({ properties }) => properties.title)).toEqual([
      'Healthy proxies',
      '5xx responses, in percent',
      'Slowest in a hundred, in seconds',
    ]);
    expect(new Set(row.map(({ properties }) => properties.view))).toEqual(new Set(['singleValue']));
  });

  test('fills the width with rows that do not overlap', () => {
    const rows = new Map<number, Widget[]>();
    for (const widget of widgets) rows.set(widget.y, [...(rows.get(widget.y) ?? []), widget]);
    let y = 0;
    for (const [at, row] of rows) {
      expect(at).toBe(y);
      expect(row.reduce((width, widget) => width + widget.width, 0)).toBe(24);
      expect(new Set(row.map(({ height }) => height)).size).toBe(1);
      y += row[0]?.height ?? 0;
    }
  });

  test('shows the weights of both sides, also while a drain or an approval sets none', () => {
    const widget = titled(widgets, /^Weights/);
    expect(drawn(widget)).toEqual(['FILL(sourceWeight, REPEAT)', 'FILL(targetWeight, REPEAT)']);
    const behind = widget.properties.metrics?.filter((row) => row.length > 1);
    expect(behind?.map((row) => row.slice(0, -1))).toEqual([
      ['Drainshift', 'Weight', 'Cutover', expect.any(String), 'Side', 'source'],
      ['Drainshift', 'Weight', 'Cutover', expect.any(String), 'Side', 'target'],
    ]);
  });

  test('shows requests, errors and their share', () => {
    expect(drawn(titled(widgets, /^Requests/))).toEqual(['RequestCount', 'RequestCount']);
    expect(drawn(titled(widgets, /^5xx responses in a minute/))).toEqual([
      'HTTPCode_Target_5XX_Count',
      'HTTPCode_Target_5XX_Count',
    ]);
    expect(drawn(titled(widgets, /^Share/))).toEqual(['100 * FILL(target, 0) / (FILL(source, 0) + FILL(target, 0))']);
  });

  test.each(['source', 'target'])('shows how long the %s takes, in the middle and at the end', (side) => {
    const { properties } = titled(widgets, new RegExp(`^Time to the response of the ${side}`));
    expect(properties.metrics?.map((row) => row.at(-1))).toEqual([
      expect.objectContaining({ stat: 'p50' }),
      expect.objectContaining({ stat: 'p99' }),
    ]);
    expect(JSON.stringify(properties.metrics)).toContain(side === 'source' ? '<SourceGroup' : '<TargetGroup');
  });

  test.each(['source', 'target'] as const)('shows the ledger of the %s by kind', (side) => {
    const { properties } = titled(widgets, new RegExp(`^Live connections of the ${side}`));
    const kinds = ['http', 'websocket', 'grpcStream', 'serverSentEvents', 'streaming'];
    expect(properties.metrics?.map((row) => row.slice(0, -1))).toEqual(
      kinds.map((kind) => ['Drainshift', 'LiveConnections', 'Kind', kind, 'Service', parts[side].serviceName]),
    );
    expect(properties.metrics?.map((row) => row.at(-1))).toEqual(
      kinds.map((kind) => expect.objectContaining({ stat: 'Sum', label: kind, period: 60 }) as object),
    );
  });

  test('shows how far a drain is', () => {
    const { properties } = titled(widgets, /drain waits for/);
    expect(drawn(titled(widgets, /drain waits for/))).toEqual(['DrainRemaining', 'DrainRemaining']);
    expect(properties.metrics?.[0]?.at(-1)).toMatchObject({ stat: 'Maximum', label: 'Source' });
  });

  test('shows what the cutovers came to', () => {
    expect(drawn(titled(widgets, /^Cutovers in the time/))).toEqual([
      'ExecutionsStarted',
      'ExecutionsSucceeded',
      'ExecutionsFailed',
      'ExecutionsAborted',
      'ExecutionsTimedOut',
    ]);
  });

  test('asks for no metric of ours that no one writes', () => {
    const asked = widgets
      .flatMap(({ properties }) => properties.metrics ?? [])
      .filter(([name]) => name === 'Drainshift');
    const names = new Set(asked.map(([, name, ...rest]) => signature(String(name), dimensionNames(rest))));
    expect([...names].sort()).toEqual([
      'DrainRemaining of Service',
      'LiveConnections of Kind, Service',
      'Weight of Cutover, Side',
    ]);
    expect(published()).toEqual(expect.arrayContaining([...names]));
  });

  test('shows three hours, under the name that CloudFormation gives', () => {
    expect(findDashboard(template).DashboardName).toBeUndefined();
    expect(JSON.stringify(findDashboard(template).DashboardBody)).toContain('-PT3H');
  });

  test('a side has one name and one colour', () => {
    const looks = widgets.flatMap(({ properties }) =>
      (properties.metrics ?? []).map((row) => row.at(-1) as { label?: string; color?: string }),
    );
    const colors = (label: string) => new Set(looks.filter((look) => look.label === label).map(({ color }) => color));
    expect(colors('Source').size).toBe(1);
    expect(colors('Target').size).toBe(1);
    expect(colors('Source')).not.toEqual(colors('Target'));
  });
});

test('of proxies that record: what has no record, and how long one waits, from metrics that they write', () => {
  const stack = newStack();
  const capture = TrafficCapture.toBucket(Bucket.fromBucketName(stack, 'Captured', 'captured'));
  const widgets = findWidgets(show(stack, newParts(stack, { capture })));
  const unrecorded = titled(widgets, /has no record/);
  expect(drawn(unrecorded)).toEqual(['CaptureUnrecorded', 'CaptureRejected', 'CaptureLost']);
  expect(unrecorded.properties.metrics?.map((row) => row.at(-1))).toMatchObject([
    { label: 'Source, forwarded' },
    { label: 'Source, rejected' },
    { label: 'Source, lost' },
  ]);
  expect(drawn(titled(widgets, /^Longest wait for a record/))).toEqual(['CapturePending']);
  const names = ['CaptureUnrecorded', 'CaptureRejected', 'CaptureLost', 'CapturePending'].map(
    (name) => `${name} of Service`,
  );
  expect(published()).toEqual(expect.arrayContaining(names));
});

test('custom: takes alarms, which come first, a name and an interval', () => {
  const stack = newStack();
  const parts = newParts(stack);
  const alarms = new MigrationAlarms(stack, 'Alarms', parts);
  const template = show(stack, parts, { alarms, dashboardName: 'shop-migration', defaultInterval: Duration.days(1) });
  const [, first] = findWidgets(template);
  expect(first).toMatchObject({ type: 'alarm', x: 0, y: 2, width: 12, properties: { title: 'Is it safe to go on?' } });
  expect(first?.properties.alarms).toHaveLength(alarms.alarms.length);
  expect(findDashboard(template).DashboardName).toBe('shop-migration');
  expect(JSON.stringify(findDashboard(template).DashboardBody)).toContain('-P1D');
});

test('custom: shows the alarms of a cutover that is watched later', () => {
  const stack = newStack();
  const parts = newParts(stack);
  const alarms = new MigrationAlarms(stack, 'Alarms', parts);
  const cutover = newCutover(stack, parts, alarms.rollbackAlarms);
  new MigrationDashboard(stack, 'Dashboard', { ...parts, cutover, alarms });
  alarms.watchCutover(cutover);
  const [, first] = findWidgets(Template.fromStack(stack));
  expect(first?.properties.alarms).toEqual(expect.arrayContaining([expect.stringMatching(/^<AlarmsRecoveryFailed/)]));
});

test('imported: shows a load balancer and a cluster of another stack', () => {
  const stack = newStack();
  const widgets = findWidgets(show(stack, importedParts(stack)));
  expect(JSON.stringify(titled(widgets, /^Errors of the load balancer/).properties.metrics)).toContain(LOAD_BALANCER);
  expect(titled(widgets, /^CPU/).properties.metrics?.[0]).toEqual(expect.arrayContaining(['ClusterName', 'shop']));
});

test('rejects sides that were confused', () => {
  const stack = newStack();
  const parts = newParts(stack);
  expect(() => show(stack, parts, { target: parts.source })).toThrow(
    "'target' must be the proxies of the target, got those of the source",
  );
});

test('rejects a name that CloudWatch would reject', () => {
  const stack = newStack();
  const parts = newParts(stack);
  expect(() => show(stack, parts, { dashboardName: 'shop migration' })).toThrow(
    "'dashboardName' must be from 1 to 255 letters, digits, hyphens and underscores, got shop migration",
  );
});
