// Why a statement would get its ruling: what it was understood to do, and each rule's reasons.

import type { Explained } from '@sallyport/api'
import { unknownText } from '@sallyport/core'
import type { Verdict } from '@sallyport/core'
import { openClient } from '../client/gateway-client.js'
import { printable } from '../output/printable.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

interface ExplainOptions {
  readonly identity: string
  readonly target: string
  readonly statement: string
  readonly json?: true
}

export async function explainCommand(options: ExplainOptions, terminal: Terminal): Promise<void> {
  const { identity, target, statement } = options
  const explained = await openClient(terminal.env).call<Explained>('POST', '/policy/explain', { identity, target, statement })
  if (options.json === true) return printJson(terminal, explained)
  terminal.out(printable(explanation(explained, identity, target)))
}

export function explanation(explained: Explained, identity: string, target: string): string {
  const effects = explained.effects.map(
    (effect) =>
      `  ${effect.access}: ${effect.verb} ${effect.object}${effect.columns === undefined ? '' : ` (${effect.columns.join(', ')})`}`,
  )
  const rules = explained.rules.map(({ rule, then, outcome, criteria }) => {
    const reasons = criteria.map(({ criterion, held, says }) => `\n      ${held ? 'yes' : 'no '} ${criterion}: ${says}`)
    return `  ${OUTCOMES[outcome]} ${rule} (${then})${reasons.join('')}`
  })
  return [
    ...(explained.granted ? [] : [`no grant lets ${identity} reach ${target}: the connection itself is refused`]),
    `verdict  ${inWords(explained.verdict)}`,
    'does',
    ...(effects.length === 0 ? ['  nothing that a rule could be about'] : effects),
    ...(explained.catalogue ? [] : ['  (read without the catalogue of the target: names may stand for views or functions)']),
    'rules',
    ...(rules.length === 0 ? ['  there are none'] : rules),
  ]
    .join('\n')
    .replaceAll(unknownText, '…')
}

const OUTCOMES = { matched: 'matches    ', could: 'could match', rows: 'later      ', 'not-matched': '-          ' } as const

export function inWords(verdict: Verdict): string {
  const by = (rule: string | null): string => (rule === null ? 'by default' : `by ${rule}`)
  if (verdict.kind === 'allow') return `allow ${by(verdict.rule)}`
  if (verdict.kind === 'deny') return `deny ${by(verdict.rule)}: ${verdict.reason}`
  if (verdict.kind === 'mask')
    return `mask ${verdict.masks.map((mask) => `${mask.column} with ${mask.with} ${by(mask.rule)}`).join(', ')}`
  return `review ${verdict.asks.map((ask) => by(ask.rule)).join(', ')}, then ${verdict.then.kind}`
}
