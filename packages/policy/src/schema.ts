// What an operator may write in `rules` and `grants`. Unknown keys are refused: a misspelt criterion must not widen a rule.

import { detectorNames } from '@sallyport/core'
import { z } from 'zod'

import { conditionFault } from './condition.js'
import { durationSchema } from './duration.js'
import { expressionFault } from './expression.js'

const nameSchema = z
  .string('write a name in quotes')
  .min(1, 'a name may not be empty')
  .max(300, 'a name may have 300 characters at most')

/** A list, or a single value standing for a list of one. */
function listOf<T extends z.ZodType>(item: T) {
  return z.preprocess(
    (value) => (typeof value === 'string' ? [value] : value),
    z
      .array(item, 'write a list, such as [a, b]')
      .min(1, 'an empty list matches nothing, so the rule could never match; leave the key out to match everything')
      .max(1000, 'a list may have 1000 entries at most'),
  )
}

/** An object that refuses keys it does not know and says which it does. */
function strictly<T extends z.ZodRawShape>(what: string, shape: T) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `${what} has no key "${(issue.keys ?? []).join('", "')}"; it has ${Object.keys(shape).join(', ')}`
        : `${what} must be a mapping of ${Object.keys(shape).join(', ')}`,
  })
}

function oneOf<const T extends readonly [string, ...string[]]>(values: T) {
  return z.enum(values, { error: (issue) => `${JSON.stringify(issue.input)} is none of ${values.join(', ')}` })
}

const names = listOf(nameSchema)

const whoShape = {
  /** What the caller is. */
  kind: listOf(oneOf(['person', 'service', 'agent'])).optional(),
  groups: names.optional(),
  names: names.optional(),
  /** The person an agent acts for. `*` means any; without this key it does not matter. */
  onBehalfOf: names.optional(),
}

const whereShape = {
  targets: names.optional(),
  /** Every label named must have one of the values. */
  labels: z.record(nameSchema, names, 'labels must be a mapping such as { env: prod }').optional(),
}

export const whoSchema = strictly('who', whoShape)
export const whereSchema = strictly('where', whereShape)

export const whatSchema = strictly('what', {
  kinds: listOf(oneOf(['connect', 'query', 'command', 'shell', 'file', 'tunnel', 'request'])).optional(),
  access: listOf(oneOf(['read', 'write', 'schema', 'admin', 'unknown'])).optional(),
  verbs: names.optional(),
  objects: names.optional(),
  columns: names.optional(),
  bounded: z.boolean('bounded is true or false').optional(),
  rowsOver: z.int('rowsOver is a whole number of rows').min(0, 'rowsOver is a whole number of rows').optional(),
  text: z.string('text is a regular expression').superRefine(addFault(expressionFault)).optional(),
  programs: names.optional(),
  args: names.optional(),
  files: names.optional(),
  methods: names.optional(),
  paths: names.optional(),
  fields: names.optional(),
  operations: names.optional(),
  tools: names.optional(),
  /** Kinds of value a mask finds by what they look like. */
  detectors: listOf(oneOf(detectorNames)).optional(),
})

const reviewersSchema = strictly('reviewers', {
  groups: names.optional(),
  names: names.optional(),
  count: z
    .int('count is a whole number of people')
    .min(1, 'at least one person must agree')
    .max(20, 'at most 20 people')
    .default(1),
})

const sentence = (key: string) =>
  z.string(`${key} is a sentence`).min(1, `${key} may not be empty`).max(1000, `${key} may have 1000 characters at most`)

export const ruleSchema = strictly('a rule', {
  name: nameSchema.regex(/^[\p{L}\p{N}][\p{L}\p{N} ._:/-]*$/u, 'a rule is named with letters, digits, spaces and . _ : / -'),
  who: whoSchema.optional(),
  where: whereSchema.optional(),
  what: whatSchema.optional(),
  when: z.string('when is a CEL expression in quotes').superRefine(addFault(conditionFault)).optional(),
  // oxlint-disable-next-line unicorn/no-thenable -- the rule language's own word; it is never a function
  then: oneOf(['allow', 'deny', 'review', 'mask']),
  /** What the caller is told, and the reviewer asked. */
  reason: sentence('reason').optional(),
  /** What the caller may do instead. */
  hint: sentence('hint').optional(),
  reviewers: reviewersSchema.optional(),
  within: durationSchema({ atLeast: '5s', atMost: '7d' }).optional(),
  with: oneOf(['null', 'redact', 'partial', 'hash', 'token']).optional(),
}).superRefine(fitsTogether)

export type Rule = z.infer<typeof ruleSchema>
export type Who = z.infer<typeof whoSchema>
export type Where = z.infer<typeof whereSchema>
export type What = z.infer<typeof whatSchema>

/** All rules of a configuration; each name stands once, since records and refusals name rules. */
export const rulesSchema = z
  .array(ruleSchema, 'rules must be a list')
  .max(2000, 'at most 2000 rules')
  .superRefine((rules, context) => {
    const seen = new Set<string>()
    for (const [index, rule] of rules.entries()) {
      if (seen.has(rule.name))
        context.addIssue({ code: 'custom', path: [index, 'name'], message: `two rules are named ${rule.name}` })
      seen.add(rule.name)
    }
  })

/** Who may reach what. Whoever and wherever must both be said: a grant to everyone or for everything is written `*`. */
export const grantSchema = strictly('a grant', { ...whoShape, ...whereShape }).superRefine((grant, context) => {
  if (grant.kind === undefined && grant.groups === undefined && grant.names === undefined && grant.onBehalfOf === undefined) {
    context.addIssue('a grant must say to whom: kind, groups, names or onBehalfOf ("*" for everyone)')
  }
  if (grant.targets === undefined && grant.labels === undefined) {
    context.addIssue('a grant must say what may be reached: targets or labels ("*" for everything)')
  }
})

export const grantsSchema = z.array(grantSchema, 'grants must be a list').max(2000, 'at most 2000 grants')

export type Grant = z.infer<typeof grantSchema>

function addFault(faultOf: (text: string) => string | undefined) {
  return (text: string, context: z.core.$RefinementCtx<string>): void => {
    const fault = faultOf(text)
    if (fault !== undefined) context.addIssue(fault)
  }
}

/** Keys that mean nothing with this `then`: the operator believes something that would not happen. */
function fitsTogether(rule: Rule, context: z.core.$RefinementCtx<Rule>): void {
  const fault = (path: readonly string[], message: string): void => {
    context.addIssue({ code: 'custom', path: [...path], message })
  }
  if (rule.then === 'review') {
    const { groups, names: people, count } = rule.reviewers ?? { count: 1 }
    if (groups === undefined && people === undefined)
      fault(['then'], 'a review needs reviewers: { groups: [...] } or { names: [...] }')
    const literal = people?.every((name) => !name.includes('*')) === true ? new Set(people).size : Number.POSITIVE_INFINITY
    if (groups === undefined && literal < count) fault(['reviewers', 'count'], `${count} people must agree but only ${literal} may`)
  } else {
    if (rule.reviewers !== undefined) fault(['reviewers'], `reviewers means something only with then: review, not ${rule.then}`)
    if (rule.within !== undefined) fault(['within'], `within means something only with then: review, not ${rule.then}`)
  }
  if (rule.then === 'mask') {
    if (rule.what?.columns === undefined && rule.what?.fields === undefined && rule.what?.detectors === undefined) {
      fault(['then'], 'a mask needs what: { columns: [...] } (or fields or detectors, for JSON): what it covers')
    }
  } else if (rule.with !== undefined) fault(['with'], `with means something only with then: mask, not ${rule.then}`)
  if (rule.what?.detectors !== undefined && rule.then !== 'mask')
    fault(['what', 'detectors'], `detectors means something only with then: mask, not ${rule.then}`)
  if (rule.what?.rowsOver !== undefined && rule.then !== 'deny' && rule.then !== 'review') {
    fault(['what', 'rowsOver'], 'rowsOver stops a result that grows too long: use it with then: deny or then: review')
  }
  if (rule.hint !== undefined && rule.then === 'allow')
    fault(['hint'], 'hint tells a refused caller what to do; an allow rule refuses nobody')
}
