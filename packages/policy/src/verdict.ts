// From the rules that match to one verdict: deny, then review, then mask, then allow.

import { strictest } from '@sallyport/core'
import { rowsLeft } from './compiled.js'
import type { Allowed, Denial, Effect, JudgingFacts, Mask, ReviewAsk, Target, Verdict } from '@sallyport/core'
import type { Match } from './compiled.js'

/** `matches` are the rules that hold for this statement in every criterion but `rowsOver`, in the operator's order. */
export function verdictOf(
  matches: readonly Match[],
  effects: readonly Effect[],
  target: Target,
  facts: Pick<JudgingFacts, 'rows'>,
): Verdict {
  const firing = matches.filter((match) => rowsLeft(match.compiled, facts.rows) === undefined)
  const masks = firing.filter((match) => match.compiled.rule.then === 'mask')
  const denial = denialOf(firing, target) ?? unmaskable(masks, target) ?? uncovered(firing, effects, target)
  if (denial !== undefined) return denial
  const asks = firing.filter((match) => match.compiled.rule.then === 'review').map(askOf)
  const then = allowedBy(firing, masks, rowLimit(matches, facts.rows))
  // oxlint-disable-next-line unicorn/no-thenable -- the verdict's own word; it is never a function
  return asks.length === 0 ? then : { kind: 'review', asks, then }
}

/** Fewest rows after which a rule that has not fired yet would. */
function rowLimit(matches: readonly Match[], rows: number | undefined): number | undefined {
  const limits = matches.map((match) => rowsLeft(match.compiled, rows)).filter((limit) => limit !== undefined)
  return limits.length === 0 ? undefined : Math.min(...limits)
}

function denialOf(firing: readonly Match[], target: Target): Denial | undefined {
  const denials = firing.filter((match) => match.compiled.rule.then === 'deny')
  const match = denials.find((denial) => denial.certainty === 'yes') ?? denials[0]
  if (match === undefined) return undefined
  const { rule, reason } = match.compiled
  if (match.certainty === 'yes') {
    return { kind: 'deny', cause: 'rule', rule: rule.name, reason, ...(rule.hint === undefined ? {} : { hint: rule.hint }) }
  }
  return notUnderstood(rule.name, match.effect, reason, target)
}

/** A mask that could apply to something not understood covers nothing for sure, so nothing may be shown. */
function unmaskable(masks: readonly Match[], target: Target): Denial | undefined {
  const match = masks.find((mask) => mask.doubt !== undefined)
  return match === undefined
    ? undefined
    : notUnderstood(match.compiled.rule.name, match.doubt, 'It could show masked values.', target)
}

function uncovered(firing: readonly Match[], effects: readonly Effect[], target: Target): Denial | undefined {
  if (target.default === 'allow') return undefined
  const effect = effects.find((candidate) => !firing.some((match) => match.covers.has(candidate)))
  if (effect === undefined) return undefined
  const reason = `On ${target.name} only what a rule allows may be done, and no rule allows ${inWords(effect)}.`
  return { kind: 'deny', cause: 'default', rule: null, reason }
}

function notUnderstood(rule: string, effect: Effect | undefined, reason: string, target: Target): Denial {
  // A text that could not be read has no more than that said of it.
  const what = effect === undefined || effect.verb === 'unknown' ? 'the statement' : inWords(effect)
  const vouchable =
    effect?.access === 'unknown' && effect.verb === 'call' && effect.object !== '' && !effect.object.startsWith('?.')
  const hint = vouchable
    ? `Where ${effect.object} does no harm, an operator can vouch for it in \`trust: { functions }\` of ${target.name}.`
    : undefined
  return {
    kind: 'deny',
    cause: 'not-understood',
    rule,
    reason: `What ${what} would do is not known, and this rule could apply to it. ${reason}`.trimEnd(),
    ...(hint === undefined ? {} : { hint }),
  }
}

/** `delete on shop.orders`, `call of shop.total`. */
export function inWords(effect: Effect): string {
  if (effect.verb === 'run') return `running ${effect.object === '' ? 'a program that cannot be told' : effect.object}`
  const verb = effect.verb === '' ? 'something' : effect.verb
  if (effect.object === '') return verb
  const object = effect.object.startsWith('?.') ? `${effect.object.slice(2)} (in a schema that cannot be told)` : effect.object
  return `${verb} ${verb === 'call' ? 'of' : 'on'} ${object}`
}

function askOf(match: Match): ReviewAsk {
  const { rule, reason, withinMs } = match.compiled
  const { groups, names, count } = rule.reviewers ?? { count: 1 }
  return { rule: rule.name, reason, reviewers: { groups: groups ?? [], names: names ?? [], count }, withinMs }
}

function allowedBy(firing: readonly Match[], masking: readonly Match[], rowsUpTo: number | undefined): Allowed {
  const limit = rowsUpTo === undefined ? {} : { rowsUpTo }
  const masks = strictestOf(masking.flatMap(masksOf))
  const first = masking[0]
  if (first !== undefined) return { kind: 'mask', rule: first.compiled.rule.name, masks, ...limit }
  const allow = firing.find((match) => match.compiled.rule.then === 'allow')
  return { kind: 'allow', rule: allow?.compiled.rule.name ?? null, ...limit }
}

function masksOf(match: Match): readonly Mask[] {
  const { rule } = match.compiled
  return match.columns.map((column) => ({ column, with: rule.with ?? 'redact', rule: rule.name }))
}

/** Where two masks name one column the stricter stays. */
function strictestOf(masks: readonly Mask[]): readonly Mask[] {
  const byColumn = new Map<string, Mask>()
  for (const mask of masks) {
    const kept = byColumn.get(mask.column)
    if (strictest(kept?.with, mask.with) !== kept?.with) byColumn.set(mask.column, mask)
  }
  return [...byColumn.values()]
}
