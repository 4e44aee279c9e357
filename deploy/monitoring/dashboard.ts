/** Prints deploy/monitoring/grafana/dashboard.json: `npm run docs:dashboard`. */
import { pathToFileURL } from 'node:url'
import {
  LegendDisplayMode,
  LegendPlacement,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder } from '@grafana/grafana-foundation-sdk/timeseries'

/** The Prometheus that is chosen in the dashboard. */
const SOURCE = { type: 'prometheus', uid: '$' + '{datasource}' }
const CHOSEN = 'job=~"$job", instance=~"$instance"'
const RATE = '$__rate_interval'

/** A query and the name of its lines, in Grafana's own templates. */
type Query = [expression: string, legend: string]

interface Panel {
  title: string
  description: string
  unit: string
  stacked?: boolean
  queries: Query[]
}

const series = (name: string, ...more: string[]): string => `${name}{${[CHOSEN, ...more].join(', ')}}`
const rate = (name: string, ...more: string[]): string => `rate(${series(name, ...more)}[${RATE}])`
const sumBy = (labels: string, expression: string): string => `sum by (${labels}) (${expression})`
const quantile = (q: number, histogram: string, by = ''): string =>
  `histogram_quantile(${q}, ${sumBy(`${by}le`, rate(`${histogram}_bucket`))})`

/** p50, p95 and p99 of a stage of requests. */
function latency(title: string, stage: string, description: string): Panel {
  const queries = [0.5, 0.95, 0.99].map((q): Query => {
    return [quantile(q, `resnet_${stage}_duration_seconds`), `p${100 * q}`]
  })
  return { title, description, unit: 's', queries }
}

const ROWS: Record<string, Panel[]> = {
  Traffic: [
    {
      title: 'Requests by route',
      description: 'Answers a second, probes and scrapes included.',
      unit: 'reqps',
      stacked: true,
      queries: [[sumBy('route', rate('resnet_requests_total')), '{{route}}']],
    },
    {
      title: 'Inference by status',
      description: 'Answers to POST a second. 499 is a client that left.',
      unit: 'reqps',
      stacked: true,
      queries: [[sumBy('status', rate('resnet_requests_total', 'method="POST"')), '{{status}}']],
    },
    {
      title: 'Failures by code',
      description: 'The code that each failed answer has.',
      unit: 'reqps',
      stacked: true,
      queries: [[sumBy('code', rate('resnet_request_errors_total')), '{{code}}']],
    },
    {
      title: 'Refusals by reason',
      description: 'Requests refused with Retry-After: nothing was computed.',
      unit: 'reqps',
      stacked: true,
      queries: [[sumBy('reason', rate('resnet_refusals_total')), '{{reason}}']],
    },
    {
      title: 'Share of failures',
      description: '5xx of all POST. The objective of the alerts is 0.1 %.',
      unit: 'percentunit',
      queries: [
        [
          `sum(${rate('resnet_requests_total', 'method="POST"', 'status=~"5.."')}) / sum(${rate('resnet_requests_total', 'method="POST"')})`,
          'failed',
        ],
      ],
    },
    {
      title: 'Inputs by replica',
      description: 'Inputs computed a second. Unequal lines are a balancer that spreads badly.',
      unit: 'ops',
      stacked: true,
      queries: [[sumBy('instance', rate('resnet_batch_size_sum')), '{{instance}}']],
    },
  ],
  'Latency by stage': [
    latency(
      'Request',
      'request',
      'From the first byte of an inference request to the end of its answer; failures too.',
    ),
    latency('Queue', 'queue', 'Wait for a batch; the longest of a request’s inputs.'),
    latency('Decode', 'decode', 'Decoding and fitting of a request’s inputs.'),
    latency('Compute', 'compute', 'The batch on the engine; the longest of a request’s inputs.'),
  ],
  Batching: [
    {
      title: 'Batch size',
      description: 'Inputs per batch.',
      unit: 'short',
      queries: [
        [`sum(${rate('resnet_batch_size_sum')}) / sum(${rate('resnet_batch_size_count')})`, 'mean'],
        [quantile(0.95, 'resnet_batch_size'), 'p95'],
      ],
    },
    {
      title: 'Batches by reason',
      description: 'Why batches left: full, timeout, idle (the engine was free), ahead or retry.',
      unit: 'ops',
      stacked: true,
      queries: [[sumBy('engine, reason', rate('resnet_batches_total')), '{{engine}} {{reason}}']],
    },
    {
      title: 'Queue depth',
      description: 'Inputs that wait for a batch. MAX_QUEUE_SIZE is the end of it.',
      unit: 'short',
      queries: [[series('resnet_queue_depth'), '{{instance}}']],
    },
    {
      title: 'Cache hits',
      description: 'Share of inputs answered from the cache; no data without CACHE_MB.',
      unit: 'percentunit',
      queries: [
        [
          `sum(${rate('resnet_cache_hits_total')}) / (sum(${rate('resnet_cache_hits_total')}) + sum(${rate('resnet_cache_misses_total')}))`,
          'hits',
        ],
      ],
    },
  ],
  Replicas: [
    {
      title: 'Ready',
      description: '1 while a replica takes requests, and while its engine takes batches.',
      unit: 'short',
      queries: [
        [series('resnet_ready'), '{{instance}}'],
        [series('resnet_engine_ready'), '{{instance}} engine'],
      ],
    },
    {
      title: 'Engine restarts',
      description: 'Engine processes started again, in the window of each point.',
      unit: 'short',
      queries: [[`increase(${series('resnet_engine_restarts_total')}[${RATE}])`, '{{instance}}']],
    },
    {
      title: 'Event loop delay',
      description: 'By how much the event loop of the HTTP process is late, p99.',
      unit: 's',
      queries: [[quantile(0.99, 'resnet_event_loop_delay_seconds', 'instance, '), '{{instance}}']],
    },
    {
      title: 'CPU',
      description: 'Cores that the HTTP process takes, without its engine processes.',
      unit: 'short',
      queries: [[rate('process_cpu_seconds_total'), '{{instance}}']],
    },
    {
      title: 'Memory',
      description: 'Resident memory of the HTTP process, and of its engine processes.',
      unit: 'bytes',
      queries: [
        [series('process_resident_memory_bytes'), '{{instance}} http'],
        [series('resnet_engine_resident_memory_bytes'), '{{instance}} engine'],
      ],
    },
    {
      title: 'Tensors',
      description: 'Tensors that the engines hold, where their library counts them. A line that only rises is a leak.',
      unit: 'short',
      queries: [[series('resnet_engine_tensors'), '{{instance}}']],
    },
  ],
}

export function dashboard(): Dashboard {
  const builder = new DashboardBuilder('resnet-serve')
    .uid('resnet-serve')
    .description('Traffic, latency by stage, batching and replicas of resnet-serve. Generated: see docs/monitoring.md.')
    .tags(['resnet-serve'])
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(choice('job', 'label_values(resnet_requests_total, job)'))
    .withVariable(choice('instance', 'label_values(resnet_requests_total{job=~"$job"}, instance)'))
  for (const [title, panels] of Object.entries(ROWS)) {
    builder.withRow(new RowBuilder(title))
    for (const each of panels) builder.withPanel(panel(each))
  }
  return builder.build()
}

function choice(name: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .datasource(SOURCE)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ text: 'All', value: '$__all' })
}

function panel({ title, description, unit, stacked = false, queries }: Panel): PanelBuilder {
  const built = new PanelBuilder()
    .title(title)
    .description(description)
    .datasource(SOURCE)
    .unit(unit)
    .min(0)
    .span(12)
    .height(7)
    .fillOpacity(stacked ? 20 : 0)
    .stacking(new StackingConfigBuilder().mode(stacked ? StackingMode.Normal : StackingMode.None))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
  for (const [i, [expression, legend]] of queries.entries()) {
    const refId = String.fromCharCode('A'.charCodeAt(0) + i)
    built.withTarget(new DataqueryBuilder().refId(refId).expr(expression).legendFormat(legend).range())
  }
  return built
}

export function dashboardJson(): string {
  return `${JSON.stringify(dashboard(), null, 2)}\n`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.stdout.write(dashboardJson())
