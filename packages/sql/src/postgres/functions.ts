// Functions, operators and casts: who vouches for them.

import { matchesAnyName } from '@sallyport/core'
import type { FuncCall, TypeName } from 'libpg-query'
import { adminFunctions, harmlessFunctions, pureExtensions } from './builtins.js'
import { relationsNamed } from './reads.js'
import { judgeSetting } from './settings.js'
import { namesOf, stringOf } from './tree.js'
import type { Walk } from './walk.js'

interface Made {
  readonly schema: string
  readonly name: string
  readonly extension: string | null
}

function isPure(one: Made): boolean {
  return one.extension !== null && pureExtensions.has(one.extension)
}

/** Those of what users made that the name may stand for: without a schema, the ones in every schema of the path. */
function candidates<T extends Made>(w: Walk, made: readonly T[], schema: string | undefined): readonly T[] {
  if (schema !== undefined) return made.filter((one) => one.schema === schema)
  return made.filter((one) => one.schema === 'pg_catalog' || w.names.schemas.includes(one.schema))
}

function isTrusted(w: Walk, id: string): boolean {
  return matchesAnyName(w.names.trustedFunctions, id)
}

/** Judges what users made under this name; false where there is nothing. */
function judgeMade(w: Walk, made: readonly Made[]): boolean {
  for (const one of made) {
    const id = `${one.schema}.${one.name}`
    if (isTrusted(w, id)) w.effects.add('read', 'call', id)
    else if (!isPure(one)) w.effects.unknown('call', id)
  }
  return made.length > 0
}

/** `names` is a function's name with or without its schema. Answers whether it is one of PostgreSQL's own and nothing shadows it. */
export function judgeFunction(w: Walk, names: readonly string[]): boolean {
  const name = names[names.length - 1] ?? ''
  const schema = names.length > 1 ? names[names.length - 2] : undefined
  const isShadowed = judgeMade(w, candidates(w, w.index.functions(name), schema))
  if (schema !== undefined && schema !== 'pg_catalog') {
    if (isShadowed || (schema === 'information_schema' && name.startsWith('_pg_'))) return false
    const id = `${schema}.${name}`
    if (isTrusted(w, id)) w.effects.add('read', 'call', id)
    else w.effects.unknown('call', id)
    return false
  }
  if (harmlessFunctions.has(name) || special.has(name)) return true
  if (adminFunctions.has(name)) w.effects.add('admin', 'call', `pg_catalog.${name}`)
  else if (isTrusted(w, `pg_catalog.${name}`)) w.effects.add('read', 'call', `pg_catalog.${name}`)
  else if (!isShadowed) w.effects.unknown('call', schema === undefined ? `?.${name}` : `pg_catalog.${name}`)
  return false
}

const special: ReadonlySet<string> = new Set(['nextval', 'setval', 'set_config'])

/** The name a regclass literal spells: `a.b`, each part folded unless quoted. */
function spelledName(text: string): { readonly schemaname?: string; readonly relname: string } | undefined {
  const part = String.raw`\s*(?:"((?:[^"]|"")+)"|([A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*))\s*`
  const found = new RegExp(`^${part}(?:\\.${part})?$`).exec(text)
  if (found === null) return undefined
  const one = found[1]?.replaceAll('""', '"') ?? found[2]?.toLowerCase() ?? ''
  const two = found[3]?.replaceAll('""', '"') ?? found[4]?.toLowerCase()
  return two === undefined ? { relname: one } : { schemaname: one, relname: two }
}

function sequenceCall(w: Walk, call: FuncCall, name: string): void {
  const text = stringOf(call.args?.[0])
  const sequence = text === undefined ? undefined : spelledName(text)
  if (sequence === undefined) w.effects.unknown(name, '?.?')
  else for (const relation of relationsNamed(w, sequence)) w.effects.add('write', name, relation.id)
}

function settingCall(w: Walk, call: FuncCall): void {
  const [name, value] = (call.args ?? []).map(stringOf)
  if (name === undefined || value === undefined) w.effects.unknown('call', 'pg_catalog.set_config')
  else judgeSetting(w, name.toLowerCase(), name.toLowerCase() === 'search_path' ? value.split(',').map(unquoted) : [value])
}

function unquoted(text: string): string {
  const trimmed = text.trim()
  return trimmed.startsWith('"') ? trimmed.slice(1, -1).replaceAll('""', '"') : trimmed.toLowerCase()
}

export function functionCall(w: Walk, call: FuncCall): void {
  const names = namesOf(call.funcname)
  const name = names[names.length - 1] ?? ''
  if (name.startsWith('dblink')) w.facts.holdsSecret = true
  if (!judgeFunction(w, names) || !special.has(name)) return
  if (name === 'set_config') settingCall(w, call)
  else sequenceCall(w, call, name)
}

/** `names` as in `OPERATOR(schema.=)`, or the operator alone. */
export function judgeOperator(w: Walk, names: readonly string[]): void {
  const name = names[names.length - 1] ?? ''
  const schema = names.length > 1 ? names[names.length - 2] : undefined
  const isMade = judgeMade(w, candidates(w, w.index.operators(name), schema))
  if (!isMade && schema !== undefined && schema !== 'pg_catalog') w.effects.unknown('call', `${schema}.${name}`)
}

/** A cast to a type users made runs a function of theirs where a cast of theirs leads to it. */
export function judgeType(w: Walk, type: TypeName): void {
  const names = namesOf(type.names)
  const name = names[names.length - 1] ?? ''
  const schema = names.length > 1 ? names[names.length - 2] : undefined
  if (schema === 'pg_catalog') return
  for (const cast of w.index.casts(name)) {
    if (cast.targetSchema === 'pg_catalog' || (schema !== undefined && cast.targetSchema !== schema)) continue
    if (cast.extension !== null && pureExtensions.has(cast.extension)) continue
    if (cast.through.startsWith('pg_catalog.') && harmlessFunctions.has(cast.through.slice('pg_catalog.'.length))) continue
    if (isTrusted(w, cast.through)) w.effects.add('read', 'call', cast.through)
    else w.effects.unknown('call', cast.through)
  }
}
