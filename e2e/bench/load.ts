// One run of pgbench, and what it cost: throughput, latencies from its log, CPU time of the process in between.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program, runChecked } from '../backends/programs.js'
import type { Path } from './paths.js'

export interface Load {
  readonly name: string
  readonly clients: number
  readonly args: readonly string[]
  readonly seconds: number
}

export interface Measure {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU time of the process in between for each transaction, in microseconds. */
  readonly cpuUs: number
}

const clockTicks = 100 // USER_HZ, fixed on Linux

/** User and system time of a process and all its threads, in seconds; 0 where the kernel does not tell. */
export function cpuSeconds(pid: number | undefined): number {
  if (pid === undefined || process.platform !== 'linux') return 0
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const after = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(after[11]) + Number(after[12])) / clockTicks
}

export async function pgbench(path: Path, load: Load): Promise<Measure> {
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-bench-log-'))
  const log = ['-l', `--log-prefix=${join(directory, 'log')}`]
  const args = ['-n', '-T', String(load.seconds), '-c', String(load.clients), '-j', '1', ...log, ...load.args, path.url]
  try {
    const before = cpuSeconds(path.pid)
    const printed = await runChecked(program('pgbench'), args, {
      env: { PGSSLMODE: 'disable' },
      withinMs: 60_000 + load.seconds * 1000,
    })
    const cpu = cpuSeconds(path.pid) - before
    if (/number of failed transactions: [1-9]/.test(printed))
      throw new Error(`pgbench through ${path.name} had failures:\n${printed}`)
    const latencies = readLatencies(directory)
    // With -C, pgbench counts the time of connecting in its first rate; without, it leaves it out.
    const perSecond = Number(/^tps = ([\d.]+)/m.exec(printed)?.[1])
    return {
      perSecond,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      cpuUs: (cpu * 1e6) / Math.max(1, latencies.length),
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The third word of each line of a pgbench log is one transaction's time in microseconds. */
function readLatencies(directory: string): Float64Array {
  const found: number[] = []
  for (const file of readdirSync(directory))
    for (const line of readFileSync(join(directory, file), 'latin1').split('\n'))
      if (line !== '') found.push(Number(line.split(' ', 3)[2]))
  return Float64Array.from(found).toSorted()
}

function percentile(sorted: Float64Array, share: number): number {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) / 1000
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** The median of each figure by itself. */
function medianOf(rounds: readonly Measure[]): Measure {
  const of = (pick: (measure: Measure) => number): number => median(rounds.map(pick))
  return { perSecond: of((m) => m.perSecond), p50Ms: of((m) => m.p50Ms), p99Ms: of((m) => m.p99Ms), cpuUs: of((m) => m.cpuUs) }
}

export interface Compared {
  readonly load: string
  readonly clients: number
  readonly path: string
  readonly measure: Measure
}

/** Every load on every way, in rounds: what the machine does meanwhile falls on all ways alike. The median round counts. */
export async function measureAll<Way extends { readonly name: string }, Work extends Pick<Load, 'name' | 'clients'>>(
  ways: readonly Way[],
  loads: readonly Work[],
  rounds: number,
  measure: (way: Way, load: Work) => Promise<Measure>,
): Promise<readonly Compared[]> {
  const results: Compared[] = []
  for (const load of loads) {
    const taken = new Map<Way, Measure[]>(ways.map((way) => [way, []]))
    for (let round = 0; round < rounds; round++) for (const way of ways) taken.get(way)?.push(await measure(way, load))
    for (const [way, measures] of taken)
      results.push({ load: load.name, clients: load.clients, path: way.name, measure: medianOf(measures) })
    process.stderr.write('.')
  }
  process.stderr.write('\n')
  return results
}
