// The table a person reads: what each path did, and how Sallyport compares.

import type { Compared, Measure } from './load.js'
import type { MemoryUse } from './memory.js'

interface Setting {
  readonly postgres: number
  readonly node: string
  readonly cores: number
  readonly rounds: number
  readonly seconds: number
  readonly tookSeconds: number
}

const rate = (measure: Measure | undefined): string =>
  measure === undefined ? '-' : measure.perSecond.toFixed(measure.perSecond < 1000 ? 1 : 0)

const hasPipe = (results: readonly Compared[]): boolean => results.some((one) => one.path === 'pipe')

/** `between`: the proxy that Sallyport is compared with. */
function row(results: readonly Compared[], between: string, load: string, clients: number): readonly string[] {
  const find = (path: string): Measure | undefined =>
    results.find((one) => one.load === load && one.clients === clients && one.path === path)?.measure
  const direct = find('direct')
  const other = find(between)
  const own = find('sallyport')
  const ratio = (base: Measure | undefined): string =>
    own === undefined || base === undefined ? '-' : (own.perSecond / base.perSecond).toFixed(2)
  const added = (pick: (measure: Measure) => number): string =>
    own === undefined || direct === undefined ? '-' : (pick(own) - pick(direct)).toFixed(3)
  const cpu = (measure: Measure | undefined): string => (measure === undefined ? '-' : measure.cpuUs.toFixed(0))
  const rates = [rate(direct), rate(other), rate(own), ratio(direct), ratio(other)]
  const cells = [load, String(clients), ...rates, added((m) => m.p50Ms), added((m) => m.p99Ms), cpu(own), cpu(other)]
  if (!hasPipe(results)) return cells
  const pipe = find('pipe')
  return [...cells, rate(pipe), ratio(pipe), cpu(pipe)]
}

export function printCompared(results: readonly Compared[], between: string): void {
  const rates = ['direct', between, 'sallyport', '/direct', `/${between}`]
  const columns = [
    'load',
    'clients',
    ...rates,
    '+p50 ms',
    '+p99 ms',
    'cpu us',
    `${between} cpu us`,
    ...(hasPipe(results) ? ['pipe', '/pipe', 'pipe cpu us'] : []),
  ]
  const kinds = new Map(results.map((one) => [`${one.load}\0${one.clients}`, one]))
  const table = [columns, ...[...kinds.values()].map((one) => row(results, between, one.load, one.clients))]
  const widths = columns.map((_, at) => Math.max(...table.map((cells) => cells[at]?.length ?? 0)))
  for (const cells of table)
    console.log(cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '))
}

export function printReport(setting: Setting, results: readonly Compared[], memory: MemoryUse | undefined): void {
  console.log(
    `PostgreSQL ${setting.postgres}, Node ${setting.node}, ${setting.cores} cores; median of ${setting.rounds} rounds of ${setting.seconds} s; ` +
      `transactions a second; latency added to direct; CPU of the process for each transaction`,
  )
  printCompared(results, 'pgbouncer')
  if (memory !== undefined) {
    console.log(
      `memory of the gateway (RSS): idle ${memory.idleMb.toFixed(0)} MB; with ${memory.sessions} idle sessions ${memory.withSessionsMb.toFixed(0)} MB ` +
        `(+${(memory.withSessionsMb - memory.idleMb).toFixed(0)}); during a result of ${memory.resultMb} MB at most ${memory.duringResultMb.toFixed(0)} MB ` +
        `(${memory.resultMbPerSecond.toFixed(0)} MB/s)`,
    )
  }
  console.log(`took ${setting.tookSeconds.toFixed(0)} s`)
}
