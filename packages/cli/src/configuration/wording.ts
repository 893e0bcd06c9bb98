// What a schema found wrong, in words and at its place.

import type { z } from 'zod'
import { didYouMean } from './fault.js'
import type { Fault, Path } from './fault.js'
import type { Located } from './located.js'

type Issue = z.core.$ZodIssue

export function schemaFaults(error: z.ZodError, schema: z.core.$ZodType, located: Located): Fault[] {
  return error.issues.flatMap((issue) => issueFaults(issue, schema, located))
}

function issueFaults(issue: Issue, schema: z.core.$ZodType, located: Located): Fault[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...located.placeOf([...path, key], 'key'),
      message: `unknown key "${key}"; ${unknownKeyAdvice(key, keysAt(schema, path))}`,
    }))
  }
  if (issue.code === 'invalid_union') {
    const closest = closestBranch(issue.errors)
    if (closest !== undefined) {
      return closest.flatMap((inner) => issueFaults({ ...inner, path: [...path, ...inner.path] }, schema, located))
    }
  }
  const value = valueAt(located.value, path)
  if (value === undefined && issue.code !== 'custom') return [{ ...located.placeOf(path), message: missing(path.at(-1), issue) }]
  return [{ ...located.placeOf(path), message: invalidMessage(issue, value, located.fromEnvironment(path)) }]
}

function missing(key: string | number | undefined, issue: Issue): string {
  if (key === undefined) return 'the file is empty; see docs/configuration.md'
  return `missing key "${key}"; ${issue.code === 'invalid_value' ? `write one of ${issue.values.map(String).join(', ')}` : 'add it'}`
}

function unknownKeyAdvice(key: string, known: readonly string[]): string {
  if (known.length === 0) return 'remove it'
  return didYouMean(key, known) ?? `known here: ${known.join(', ')}`
}

/** Of several forms a value may have, the one the writer most likely meant: the fewest faults, and those deepest. */
function closestBranch(branches: readonly Issue[][]): Issue[] | undefined {
  const depth = (issues: readonly Issue[]): number => Math.max(0, ...issues.map((issue) => issue.path.length))
  const ranked = branches.filter((issues) => depth(issues) > 0 || issues.some((issue) => issue.code === 'unrecognized_keys'))
  return ranked.sort((a, b) => a.length - b.length || depth(b) - depth(a))[0]
}

function invalidMessage(issue: Issue, value: unknown, hidden: boolean): string {
  if (isWorded(issue.message))
    return issue.message.startsWith('not ')
      ? `${hidden || typeof value !== 'string' ? 'this' : `"${brief(value)}"`} is ${issue.message}`
      : issue.message
  const shown = hidden ? 'the value from the environment is' : typeof value === 'string' ? `"${brief(value)}" is` : 'this is'
  if (issue.code === 'invalid_type') return `${article(kindOf(value))} stands here; ${wanted(issue.expected)}`
  if (issue.code === 'too_small' || issue.code === 'too_big') return sizeMessage(issue)
  if (issue.code !== 'invalid_value') return `${shown} not what belongs here; see docs/configuration.md`
  const values = issue.values.map(String)
  const near = typeof value === 'string' && !hidden ? didYouMean(value, values) : undefined
  return `${shown} none of ${values.join(', ')}; ${near ?? 'write one of them'}`
}

/** Whether the schema's author wrote this message; zod's own begin like this. */
function isWorded(message: string): boolean {
  return !/^(?:Invalid (?:input|option|key|string|number|URL|element)|Too (?:small|big)|Unrecognized key)/i.test(message)
}

function sizeMessage(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string {
  const bound = issue.code === 'too_small' ? `at least ${String(issue.minimum)}` : `at most ${String(issue.maximum)}`
  const of = issue.origin === 'string' ? ' characters' : issue.origin === 'array' || issue.origin === 'set' ? ' entries' : ''
  return `too ${issue.code === 'too_small' ? 'little' : 'much'}; write ${bound}${of}`
}

function brief(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ')
  return line.length > 60 ? `${line.slice(0, 57)}...` : line
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'mapping',
  record: 'mapping',
  array: 'list',
  string: 'text',
  number: 'number',
  int: 'whole number',
  boolean: 'true or false',
  null: 'nothing',
}

function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  return Array.isArray(value) ? 'list' : (KINDS[typeof value] ?? typeof value)
}

function article(kind: string): string {
  return kind === 'list' || kind === 'mapping' || kind === 'number' ? `a ${kind}` : kind
}

function wanted(expected: string): string {
  return `write ${article(KINDS[expected] ?? expected)}`
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const part of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = Object.entries(at).find(([key]) => key === String(part))?.[1]
  }
  return at
}

/** The keys an object may have at `path`, of every form it may take. */
function keysAt(schema: z.core.$ZodType, path: Path): readonly string[] {
  let forms = unwrap(schema)
  for (const part of path) {
    forms = forms.flatMap((form) => {
      const def = form._zod.def as z.core.$ZodTypes['_zod']['def']
      if (def.type === 'array') return unwrap(def.element)
      if (def.type === 'record') return unwrap(def.valueType)
      const child = def.type === 'object' ? def.shape[String(part)] : undefined
      return child === undefined ? [] : unwrap(child)
    })
  }
  const keys = forms.flatMap((form) => {
    const def = form._zod.def as z.core.$ZodTypes['_zod']['def']
    return def.type === 'object' ? Object.keys(def.shape) : []
  })
  return [...new Set(keys)]
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = schema._zod.def as z.core.$ZodTypes['_zod']['def']
  if (def.type === 'union') return def.options.flatMap((option) => unwrap(option))
  if (def.type === 'pipe') return [...unwrap(def.in), ...unwrap(def.out)]
  if (def.type === 'lazy') return unwrap(def.getter())
  return 'innerType' in def ? unwrap(def.innerType) : [schema]
}
