// What other rules would have done to what was recorded: read from the gateway in the order of time, judged here, counted.

import type { RecordedEvent } from '@sallyport/core'
import { Differences } from '../backtest/differences.js'
import type { Backtest } from '../backtest/differences.js'
import { judgedIn, rejudge } from '../backtest/rejudge.js'
import { openClient } from '../client/gateway-client.js'
import { faultLine } from '../configuration/fault.js'
import { checkedDefinitions, loadDefinitionsOver } from '../configuration/load.js'
import { noOperators } from '../configuration/references.js'
import type { WrittenDefinitions } from '../configuration/schema.js'
import { oneLine, printable } from '../output/printable.js'
import { printTable, shortTime } from '../output/table.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'
import { inForce } from '../start/in-force.js'

export interface BacktestOptions {
  readonly since: Date
  readonly until?: Date
  readonly identity?: string
  readonly target?: string
  readonly limit: number
  readonly json?: true
}

export async function backtestCommand(file: string, options: BacktestOptions, terminal: Terminal): Promise<number> {
  const client = openClient(terminal.env)
  const { definitions } = await client.call<{ readonly definitions: unknown }>('GET', '/definitions')
  const running = checkedDefinitions(definitions, { providers: true, operators: noOperators })
  const loaded = loadDefinitionsOver(file, terminal.env, running)
  if (loaded.kind === 'faulty') {
    terminal.err(loaded.faults.map((fault) => faultLine(file, fault)).join('\n'))
    return 1
  }
  // Groups of a person whom an identity provider knows are as they were when the session began.
  const current = inForce(0, loaded.value, { providers: true, credentialFor: async () => ({ kind: 'none' }) })
  const differences = new Differences(options.limit)
  for await (const event of client.lines<RecordedEvent>(`/events?${query(options)}`)) {
    const judged = judgedIn(event)
    if (judged !== undefined) differences.add(judged, rejudge(judged, current))
  }
  const result = differences.result()
  const notes = notesOn(result, trustChanged(running, loaded.value))
  if (options.json === true) {
    const since = options.since.toISOString()
    printJson(terminal, { file, since, until: options.until?.toISOString() ?? null, ...result, notes })
  } else await print(file, result, notes, options, terminal)
  return 0
}

function query({ since, until, identity, target }: BacktestOptions): string {
  return new URLSearchParams({
    since: since.toISOString(),
    ...(until === undefined ? {} : { until: until.toISOString() }),
    ...(identity === undefined ? {} : { identity }),
    ...(target === undefined ? {} : { target }),
  }).toString()
}

/** Targets whose functions or programs are vouched for otherwise: what was understood then was understood by the list of then. */
function trustChanged(running: WrittenDefinitions, tried: WrittenDefinitions): readonly string[] {
  const trusted = ({ targets }: WrittenDefinitions): ReadonlyMap<string, string> =>
    new Map(
      targets.map((target) => [target.name, 'trust' in target ? Object.values(target.trust).flat().toSorted().join('\n') : '']),
    )
  const before = trusted(running)
  return [...trusted(tried)].flatMap(([name, functions]) => (before.get(name) === functions ? [] : [name]))
}

function notesOn(result: Backtest, trust: readonly string[]): readonly string[] {
  const { rows, catalogue, masks } = result.unsure
  return [
    ...(rows === 0
      ? []
      : [`${rows}: rowsOver is held against the rows that were recorded, and these did not run to their end or also wrote`]),
    ...(catalogue === 0
      ? []
      : [`${catalogue}: what they do was not known for sure when they ran; the catalogue of the target may tell more by now`]),
    ...(masks === 0
      ? []
      : [`${masks}: would be masked where the masks can be applied, else denied; only the catalogue of the target can tell`]),
    ...(trust.length === 0
      ? []
      : [`trust of ${trust.join(', ')} differs; statements count as what they were understood to do when they ran`]),
  ]
}

async function print(
  file: string,
  result: Backtest,
  notes: readonly string[],
  options: BacktestOptions,
  terminal: Terminal,
): Promise<void> {
  const { statements, sessions, changed, notJudged, byRule, differences, more } = result
  const since = shortTime(options.since)
  terminal.err(
    `${statements} statements of ${sessions} sessions since ${since} UTC: by ${file}, ${changed} would be ruled otherwise${notJudged === 0 ? '' : `; ${notJudged} were never ruled on`}`,
  )
  if (changed > 0) {
    await printTable(
      terminal,
      ['was', 'by', 'would be', 'by', 'statements'],
      byRule.map((each) => [each.was, each.wasBy, each.would, each.wouldBy, each.statements]),
    )
    terminal.out('')
    await printTable(
      terminal,
      ['session', '#', 'at', 'who', 'target', 'was', 'would be', 'by', 'statement'],
      differences.map((each) => [
        each.session,
        each.statement,
        shortTime(each.at),
        each.onBehalfOf === null ? each.identity : `${each.identity} for ${each.onBehalfOf}`,
        each.target,
        each.was.kind,
        `${each.would.kind}${each.unsure.length === 0 ? '' : ' ?'}`,
        each.would.by,
        oneLine(each.text, 60),
      ]),
    )
    if (more) terminal.err(`the first ${differences.length} of ${changed} are listed; --limit lists more`)
  }
  for (const note of notes) terminal.err(printable(`not known afterwards: ${note}`))
}
