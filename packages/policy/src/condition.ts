// The `when` criterion: a CEL expression over who, where, what and the time. Variables and their fields are declared, so a
// misspelt one is refused when the rule is read and not when it is needed.

import { Environment } from '@marcbachmann/cel-js'
import type { ASTNode } from '@marcbachmann/cel-js'
import type { Identity, JudgingFacts, Statement, Target } from '@sallyport/core'

/** Enough for any condition a person can read. */
const limits = { maxAstNodes: 500, maxDepth: 50, maxListElements: 200, maxMapEntries: 100, maxCallArguments: 10 }
const maxLength = 4_000

const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const

/** What a condition sees. Numbers are bigint: CEL's int has 64 bits. */
export interface Scope {
  readonly identity: {
    readonly name: string
    readonly kind: string
    readonly groups: readonly string[]
    readonly onBehalfOf: string
  }
  readonly target: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly statement: {
    readonly text: string
    readonly kind: string
    readonly parameters: readonly (string | null)[]
    readonly effects: readonly EffectInScope[]
  }
  readonly now: { readonly hour: bigint; readonly minute: bigint; readonly weekday: string; readonly iso: string }
  readonly rows: bigint
}

interface EffectInScope {
  readonly access: string
  readonly verb: string
  readonly object: string
  readonly columns: readonly string[]
  readonly bounded: boolean
}

/** true, false, or what went wrong. Never throws, not even where the scope cannot be made. */
export type Condition = (scope: () => Scope) => boolean | ConditionError
interface ConditionError {
  readonly said: string
}

export function compileCondition(text: string): Condition {
  if (text.length > maxLength) throw new SyntaxError(`the condition has more than ${maxLength} characters`)
  const environment = declare()
  const checked = environment.check(text)
  if (!checked.valid) throw new SyntaxError(checked.error?.summary ?? 'not a CEL expression')
  if (checked.type !== 'bool')
    throw new SyntaxError(`a condition must be true or false, and this is of type ${checked.type ?? 'dyn'}`)
  const run = environment.parse(text)
  // The library runs matches() on V8's regular expressions, which take exponential time on hostile text.
  if (calls(run.ast, 'matches'))
    throw new SyntaxError('matches() is not available; use contains(), startsWith(), or what: { text: ... }')
  return (scope) => {
    try {
      const result: unknown = run({ ...scope() })
      return typeof result === 'boolean' ? result : { said: 'the condition was neither true nor false' }
    } catch (error) {
      return { said: summaryOf(error) }
    }
  }
}

/** What is wrong with the condition, or undefined. */
export function conditionFault(text: string): string | undefined {
  try {
    compileCondition(text)
    return undefined
  } catch (error) {
    return `${summaryOf(error)} (variables: identity, target, statement, now, rows)`
  }
}

export function scopeOf(identity: Identity, target: Target, statement: Statement, facts: JudgingFacts): Scope {
  const now = new Date(facts.nowMs)
  return {
    identity: { name: identity.name, kind: identity.kind, groups: identity.groups, onBehalfOf: identity.onBehalfOf ?? '' },
    target: { name: target.name, labels: target.labels },
    statement: {
      text: statement.text,
      kind: statement.kind,
      parameters: statement.parameters,
      effects: statement.effects.map((effect) => ({
        access: effect.access,
        verb: effect.verb,
        object: effect.object,
        columns: effect.columns ?? [],
        bounded: effect.bounded ?? true,
      })),
    },
    now: {
      hour: BigInt(now.getUTCHours()),
      minute: BigInt(now.getUTCMinutes()),
      weekday: weekdays[now.getUTCDay()] ?? '',
      iso: now.toISOString(),
    },
    rows: BigInt(facts.rows ?? 0),
  }
}

function declare(): Environment {
  return new Environment({ unlistedVariablesAreDyn: false, limits })
    .registerType({
      name: 'Effect',
      schema: { access: 'string', verb: 'string', object: 'string', columns: 'list<string>', bounded: 'bool' },
    })
    .registerType({
      name: 'Statement',
      schema: { text: 'string', kind: 'string', parameters: 'list<dyn>', effects: 'list<Effect>' },
    })
    .registerVariable('statement', 'Statement')
    .registerVariable('identity', { schema: { name: 'string', kind: 'string', groups: 'list<string>', onBehalfOf: 'string' } })
    .registerVariable('target', { schema: { name: 'string', labels: 'map<string, string>' } })
    .registerVariable('now', { schema: { hour: 'int', minute: 'int', weekday: 'string', iso: 'string' } })
    .registerVariable('rows', 'int')
}

/** Whether the method is called anywhere in the expression. Its depth is bounded by the parser's limits. */
function calls(node: ASTNode, method: string): boolean {
  if (node.op === 'rcall' && node.args[0] === method) return true
  return nodesIn(node.args).some((child) => calls(child, method))
}

function nodesIn(args: unknown): readonly ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(nodesIn)
  return isNode(args) ? [args] : []
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value
}

function summaryOf(error: unknown): string {
  if (error instanceof Error && 'summary' in error && typeof error.summary === 'string') return error.summary
  return error instanceof Error ? error.message : String(error)
}
