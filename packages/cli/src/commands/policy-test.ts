// A file of statements with the ruling each must get. Asked of the running gateway, which reads names by its targets' own catalogues;
// or with `--config`, of a configuration alone, reading names by what `targets schema` printed earlier, or by nothing.

import type { Explained } from '@sallyport/api'
import { Misconfigured, Unreachable } from '@sallyport/core'
import type { Target, Verdict } from '@sallyport/core'
import { z } from 'zod'
import { openClient } from '../client/gateway-client.js'
import { faultLine } from '../configuration/fault.js'
import { readYaml } from '../configuration/located.js'
import { loadConfiguration } from '../configuration/load.js'
import { readText } from '../configuration/text.js'
import { schemaFaults } from '../configuration/wording.js'
import { oneLine } from '../output/printable.js'
import { printTable } from '../output/table.js'
import { readSchemaFile } from '../start/schema-file.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'
import { inWords } from './policy-explain.js'

const caseSchema = z.strictObject({
  identity: z.string().min(1),
  target: z.string().min(1),
  statement: z.string().min(1).max(262_144),
  expect: z.enum(['allow', 'mask', 'deny', 'review']),
  /** The rule that must have decided, besides. */
  rule: z.string().min(1).optional(),
})
const fileSchema = z.array(caseSchema).min(1).max(100_000)

type Case = z.output<typeof caseSchema>
type Explain = (question: { readonly identity: string; readonly target: string; readonly statement: string }) => Promise<Explained>

interface TestOptions {
  readonly config?: string
  readonly schema?: readonly string[]
  readonly json?: true
}

interface Mismatch {
  readonly case: Case
  readonly line: number
  readonly got: string
}

/** Answers 0 where every statement gets its ruling and 1 where one does not. */
export async function testCommand(file: string, options: TestOptions, terminal: Terminal): Promise<number> {
  if (options.schema !== undefined && options.config === undefined)
    throw new Misconfigured('misused', '--schema goes with --config; a running gateway asks its targets themselves')
  const cases = readCases(file, terminal)
  if (cases === undefined) return 1
  const { explain, stop } =
    options.config === undefined ? askGateway(terminal) : await askConfiguration(options.config, options.schema ?? [], terminal)
  try {
    const mismatches: Mismatch[] = []
    for (const { test, line } of cases) {
      const got = misses(test, await explain(test))
      if (got !== undefined) mismatches.push({ case: test, line, got })
    }
    await report(file, cases.length, mismatches, options, terminal)
    return mismatches.length === 0 ? 0 : 1
  } finally {
    await stop()
  }
}

function readCases(file: string, terminal: Terminal): readonly { readonly test: Case; readonly line: number }[] | undefined {
  const read = readText(file)
  const located = readYaml(read.kind === 'text' ? read.text : '', {})
  const parsed = fileSchema.safeParse(located.value)
  const faults =
    read.kind === 'faulty'
      ? [read.fault]
      : located.faults.length > 0
        ? located.faults
        : parsed.success
          ? []
          : schemaFaults(parsed.error, fileSchema, located)
  if (parsed.success && faults.length === 0)
    return parsed.data.map((test, index) => ({ test, line: located.placeOf([index]).line }))
  terminal.err(faults.map((fault) => faultLine(file, fault)).join('\n'))
  return undefined
}

/** What was got instead, or undefined where it is what was expected. */
export function misses(test: Case, explained: Pick<Explained, 'granted' | 'verdict'>): string | undefined {
  if (!explained.granted) return 'no grant: the connection is refused'
  const { verdict } = explained
  const rules = decidedBy(verdict)
  if (verdict.kind === test.expect && (test.rule === undefined || rules.includes(test.rule))) return undefined
  return inWords(verdict)
}

function decidedBy(verdict: Verdict): readonly (string | null)[] {
  if (verdict.kind === 'review') return verdict.asks.map((ask) => ask.rule)
  if (verdict.kind === 'mask') return [verdict.rule, ...verdict.masks.map((mask) => mask.rule)]
  return [verdict.rule]
}

function askGateway(terminal: Terminal): { readonly explain: Explain; readonly stop: () => Promise<void> } {
  const client = openClient(terminal.env)
  return {
    explain: ({ identity, target, statement }) =>
      client.call<Explained>('POST', '/policy/explain', { identity, target, statement }),
    stop: async () => {},
  }
}

async function askConfiguration(
  config: string,
  schemas: readonly string[],
  terminal: Terminal,
): Promise<{ readonly explain: Explain; readonly stop: () => Promise<void> }> {
  const loaded = loadConfiguration(config, terminal.env)
  if (loaded.kind === 'faulty') {
    throw new Misconfigured('configuration-faulty', loaded.faults.map((fault) => faultLine(config, fault)).join('\n'))
  }
  const { openMysqlReader, openSqlReader } = await import('@sallyport/sql')
  const { explanationOf } = await import('../start/explain.js')
  const { inForce } = await import('../start/in-force.js')
  const { readersOf } = await import('../start/protocols.js')
  const providers = loaded.value.identityProviders.length > 0
  const current = inForce(0, loaded.value.definitions, { providers, credentialFor: async () => ({ kind: 'none' }) })
  const known = schemasBy(schemas, current.targets)
  const sql = openSqlReader({ workers: 1 })
  const mysqlReader = openMysqlReader()
  const protocols = readersOf(sql, mysqlReader, current.targets)
  const explain: Explain = async ({ identity: who, target: where, statement }) => {
    const identity = current.identities.find(({ name }) => name === who)
    const target = current.targets.find(({ name }) => name === where)
    const protocol = protocols.find(({ name }) => name === target?.protocol)
    if (identity === undefined) throw new Misconfigured('unknown-identity', `there is no identity ${who} in ${config}`)
    if (target === undefined || protocol === undefined)
      throw new Misconfigured('unknown-target', `there is no target ${where} in ${config}`)
    const understood = await protocol.understand(statement, { target, signal: NO_SIGNAL, dial: nowhere }, known.get(where))
    return explanationOf(current, { id: who, name: who, kind: identity.kind, groups: identity.groups }, target, understood)
  }
  return { explain, stop: async () => void (await Promise.all([sql.stop(), mysqlReader.stop()])) }
}

const NO_SIGNAL = new AbortController().signal
const nowhere = (): Promise<never> =>
  Promise.reject(new Unreachable('not-asked', 'targets are not asked where a configuration is tried alone'))

/** Each file says of which target it is. */
function schemasBy(files: readonly string[], targets: readonly Target[]): ReadonlyMap<string, string> {
  return new Map(
    files.map((file) => {
      const { target: name, protocol, catalogue } = readSchemaFile(file)
      const target = targets.find((each) => each.name === name)
      if (target === undefined)
        throw new Misconfigured('unknown-target', `${file} is of target ${name}, which the configuration does not have`)
      if (target.protocol !== protocol)
        throw new Misconfigured('bad-schema', `${file} is of a target of ${protocol}, and ${name} speaks ${target.protocol}`)
      return [name, JSON.stringify(catalogue)]
    }),
  )
}

async function report(
  file: string,
  count: number,
  mismatches: readonly Mismatch[],
  options: TestOptions,
  terminal: Terminal,
): Promise<void> {
  if (options.json === true) {
    return printJson(terminal, {
      statements: count,
      mismatches: mismatches.map(({ case: test, line, got }) => ({ ...test, line, got })),
    })
  }
  if (mismatches.length === 0) return terminal.out(`${file}: ${count} statements, each as expected`)
  await printTable(
    terminal,
    ['place', 'identity', 'target', 'statement', 'expected', 'got'],
    mismatches.map(({ case: test, line, got }) => [
      `${file}:${line}`,
      test.identity,
      test.target,
      oneLine(test.statement, 60),
      test.rule === undefined ? test.expect : `${test.expect} by ${test.rule}`,
      got,
    ]),
  )
  terminal.err(`${mismatches.length} of ${count} statements get another ruling than expected`)
}
