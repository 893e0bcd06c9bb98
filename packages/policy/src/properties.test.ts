// What must hold whatever the rules and the statement are. The random numbers are seeded, so a failure can be seen again.
/* oxlint-disable unicorn/no-thenable -- `then` is the rule language's own word; it is never a function */
/* oxlint-disable vitest/no-conditional-expect, vitest/expect-expect -- some properties are about scenes of one kind; the first test shows that all kinds come up */

import { describe, expect, it } from 'vitest'
import { compilePolicy } from './policy.js'
import { ruleSchema } from './schema.js'
import type { Effect, Identity, JudgingFacts, Statement, Target, Verdict } from '@sallyport/core'
import type { Rule } from './schema.js'

const rounds = 3_000
const identity: Identity = { id: 'a', name: 'agent', kind: 'agent', groups: ['agents'] }
const strictness = { allow: 0, mask: 1, review: 2, deny: 3 } as const

/** mulberry32 */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

class Dice {
  readonly #next: () => number
  constructor(seed: number) {
    this.#next = randomFrom(seed)
  }
  chance(of: number): boolean {
    return this.#next() < of
  }
  one<T>(of: readonly T[]): T {
    for (const found of of.slice(Math.floor(this.#next() * of.length))) return found
    throw new Error('nothing to choose from')
  }
  some<T>(of: readonly T[], atLeast = 0): readonly T[] {
    const found = of.filter(() => this.chance(0.4))
    return found.length >= atLeast ? found : [this.one(of)]
  }
}

const tables = ['public.a', 'public.b', '?.a', 'other.a', '']
const columns = ['public.a.x', 'public.a.y', '?.a.x', 'other.a.x']
const verbs = ['select', 'insert', 'update', 'delete', 'drop', 'call', 'unknown']
const accesses = ['read', 'write', 'schema', 'admin', 'unknown'] as const

function randomEffect(dice: Dice): Effect {
  return {
    access: dice.one(accesses),
    verb: dice.one(verbs),
    object: dice.one(tables),
    ...(dice.chance(0.5) ? { columns: dice.some(columns) } : {}),
    ...(dice.chance(0.3) ? { bounded: dice.chance(0.5) } : {}),
  }
}

function randomRule(dice: Dice, name: string): Rule {
  const then = dice.one(['allow', 'deny', 'review', 'mask'] as const)
  const what = {
    ...(dice.chance(0.4) ? { access: dice.some(accesses, 1) } : {}),
    ...(dice.chance(0.3) ? { verbs: dice.some([...verbs, '*e*'], 1) } : {}),
    ...(dice.chance(0.3) ? { objects: dice.some(['public.a', '*.a', 'public.*', 'other.b'], 1) } : {}),
    ...(dice.chance(0.3) || then === 'mask' ? { columns: dice.some(['*.x', 'public.a.*', '*.a.y'], 1) } : {}),
    ...(dice.chance(0.2) ? { bounded: dice.chance(0.5) } : {}),
    ...(dice.chance(0.2) ? { kinds: dice.some(['query', 'connect'], 1) } : {}),
    ...(dice.chance(0.2) && (then === 'deny' || then === 'review') ? { rowsOver: dice.one([0, 5, 10]) } : {}),
    ...(dice.chance(0.1) ? { text: dice.one(['a', 'zzz']) } : {}),
  }
  return ruleSchema.parse({
    name,
    then,
    ...(dice.chance(0.1) ? { who: { kind: dice.one(['agent', 'person']) } } : {}),
    ...(dice.chance(0.15) ? { when: dice.one(['now.hour < 6', 'target.labels.none == "x"', 'rows > 3']) } : {}),
    ...(Object.keys(what).length === 0 ? {} : { what }),
    ...(then === 'review' ? { reviewers: { groups: ['dba'] } } : {}),
    ...(then === 'mask' ? { with: dice.one(['null', 'redact', 'partial', 'hash', 'token']) } : {}),
  })
}

interface Scene {
  readonly rules: readonly Rule[]
  readonly target: Target
  readonly statement: Statement
  readonly facts: JudgingFacts
}

function randomScene(dice: Dice): Scene {
  const rules = Array.from({ length: dice.one([0, 1, 2, 3, 6]) }, (_, index) => randomRule(dice, `r${index}`))
  const effects = Array.from({ length: dice.one([0, 1, 1, 2, 4]) }, () => randomEffect(dice))
  return {
    rules,
    target: {
      name: 't',
      protocol: 'postgres',
      address: 'h:1',
      databases: [],
      tls: 'off',
      labels: {},
      durability: 'process',
      default: dice.one(['allow', 'deny']),
      trust: { functions: [] },
    },
    statement: { id: 1, kind: dice.one(['query', 'connect']), text: 'a', parameters: [], effects, held: true },
    facts: { nowMs: dice.one([3, 12]) * 3_600_000, ...(dice.chance(0.3) ? { rows: dice.one([0, 5, 7, 10, 99]) } : {}) },
  }
}

function evaluate({ rules, target, statement, facts }: Scene): Verdict {
  return compilePolicy(rules).judgeFor(identity, target).evaluate(statement, facts)
}

function rowsUpTo(verdict: Verdict): number {
  const allowed = verdict.kind === 'review' ? verdict.then : verdict
  return allowed.kind === 'deny' ? 0 : (allowed.rowsUpTo ?? Number.POSITIVE_INFINITY)
}

function scenes(seed: number, check: (scene: Scene, dice: Dice) => void): void {
  const dice = new Dice(seed)
  for (let round = 0; round < rounds; round += 1) check(randomScene(dice), dice)
}

describe('whatever the rules and the statement are', () => {
  it('the scenes are of every kind', () => {
    const kinds = new Set<string>()
    scenes(1, (scene) => kinds.add(evaluate(scene).kind))
    expect([...kinds].sort()).toEqual(['allow', 'deny', 'mask', 'review'])
  })

  it('there is a verdict, the same each time, asked of a fresh judge or a used one', () => {
    scenes(2, (scene) => {
      const judge = compilePolicy(scene.rules).judgeFor(identity, scene.target)
      const first = judge.evaluate(scene.statement, scene.facts)
      expect(judge.evaluate(scene.statement, scene.facts)).toEqual(first)
      expect(evaluate({ ...scene, statement: { ...scene.statement, effects: [...scene.statement.effects] } })).toEqual(first)
    })
  })

  it('a deny, review or mask rule more never loosens, and an allow rule more never tightens', () => {
    scenes(3, (scene, dice) => {
      const more = randomRule(dice, 'more')
      const before = evaluate(scene)
      const after = evaluate({ ...scene, rules: [...scene.rules, more] })
      if (more.then === 'allow') expect(strictness[after.kind]).toBeLessThanOrEqual(strictness[before.kind])
      // Where nothing is allowed by default, a review or mask rule also lets something pass.
      else if (more.then === 'deny' || scene.target.default === 'allow') {
        expect(strictness[after.kind]).toBeGreaterThanOrEqual(strictness[before.kind])
        expect(rowsUpTo(after)).toBeLessThanOrEqual(rowsUpTo(before))
      }
    })
  })

  it('the order of rules changes neither the kind of the verdict nor the masks', () => {
    const masks = (verdict: Verdict): unknown => {
      const allowed = verdict.kind === 'review' ? verdict.then : verdict
      if (allowed.kind !== 'mask') return []
      return allowed.masks.map((mask) => `${mask.column} ${mask.with}`).sort()
    }
    scenes(4, (scene) => {
      const forwards = evaluate(scene)
      const backwards = evaluate({ ...scene, rules: scene.rules.toReversed() })
      expect(backwards.kind).toBe(forwards.kind)
      expect(masks(backwards)).toEqual(masks(forwards))
      expect(rowsUpTo(backwards)).toBe(rowsUpTo(forwards))
    })
  })

  it('not understanding an effect never loosens', () => {
    scenes(5, (scene) => {
      const effects = scene.statement.effects.map((effect): Effect => ({
        access: 'unknown',
        verb: effect.verb,
        object: effect.object,
      }))
      // An allow rule may name what is not understood; all others must not gain by it.
      if (scene.rules.some((rule) => rule.then === 'allow' || rule.what?.access?.includes('unknown'))) return
      const before = evaluate(scene)
      const after = evaluate({ ...scene, statement: { ...scene.statement, effects } })
      if (scene.target.default === 'allow') expect(strictness[after.kind]).toBeGreaterThanOrEqual(strictness[before.kind])
    })
  })

  it('asking again for more rows always gets a higher limit or none', () => {
    scenes(6, (scene) => {
      const limit = rowsUpTo(evaluate(scene))
      if (limit === 0 || limit === Number.POSITIVE_INFINITY) return
      const next = rowsUpTo(evaluate({ ...scene, facts: { ...scene.facts, rows: limit + 1 } }))
      if (next !== 0) expect(next).toBeGreaterThan(limit)
    })
  })

  it('the explanation gives the same verdict, and some rule matched wherever a rule is named', () => {
    scenes(7, (scene) => {
      const explanation = compilePolicy(scene.rules).explain(identity, scene.target, scene.statement, scene.facts)
      const verdict = evaluate(scene)
      expect(explanation.verdict).toEqual(verdict)
      const named =
        verdict.kind === 'review' ? verdict.asks.map(({ rule }) => rule) : [verdict.rule].filter((rule) => rule !== null)
      for (const name of named) {
        const finding = explanation.rules.find(({ rule }) => rule === name)
        expect(['matched', 'could']).toContain(finding?.outcome)
      }
      const denying = explanation.rules.some(
        ({ then, outcome }) => then === 'deny' && (outcome === 'matched' || outcome === 'could'),
      )
      if (denying) expect(verdict.kind).toBe('deny')
    })
  })
})
