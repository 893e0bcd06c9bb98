// RETURNING of a masked table: the target itself cannot become a sub-select, so each reference to a masked column in the list does.

import type { ColumnRef, Node, ResTarget } from 'libpg-query'
import type { Masking } from './masking.js'
import { starSources } from './columns.js'
import type { Scope, Source } from './scope.js'
import { nameOf, namesOf, tagged, wrap } from './tree.js'
import { Untraceable } from './walk.js'

function column(names: readonly string[]): Node {
  return wrap('ResTarget', { val: wrap('ColumnRef', { fields: names.map((sval) => wrap('String', { sval })) }) })
}

function expanded(sources: readonly Source[]): Node[] {
  return sources.flatMap((source) => {
    if (source.alias === '') throw new Untraceable('RETURNING * beside a join')
    if (!source.target)
      return [
        wrap('ResTarget', { val: wrap('ColumnRef', { fields: [wrap('String', { sval: source.alias }), wrap('A_Star', {})] }) }),
      ]
    const [relation] = source.relations
    if (relation?.columns === undefined || source.relations.length !== 1)
      throw new Untraceable('RETURNING * of a table that is not known')
    return relation.columns.map((one) => column([source.alias, one.name]))
  })
}

/** The list with every star over a masked target written out, and every name kept that a mask would change. */
export function expandStars(masking: Masking, list: readonly Node[], scope: Scope): Node[] {
  const written = list.flatMap((node) => {
    const value = tagged(tagged(node)?.body.val)
    const fields = value?.kind === 'ColumnRef' ? ((value.body as ColumnRef).fields ?? []) : []
    if (tagged(fields[fields.length - 1])?.kind !== 'A_Star') return [node]
    const sources = starSources(scope, fields)
    if (!sources.some((source) => source.target && source.relations.some((relation) => masking.of(relation).size > 0)))
      return [node]
    if (sources.length > 1 && masking.sawJoin) throw new Untraceable('RETURNING * beside a join')
    return expanded(sources)
  })
  for (const node of written) keepName(tagged(node)?.body)
  return written
}

function keepName(target: ResTarget | undefined): void {
  if (target === undefined || target.name !== undefined) return
  let value = tagged(target.val)
  while (value?.kind === 'TypeCast') value = tagged(value.body.arg)
  const names = value?.kind === 'ColumnRef' ? namesOf((value.body as ColumnRef).fields) : []
  const last = names[names.length - 1]
  if (last !== undefined && nameOf((value?.body as ColumnRef | undefined)?.fields?.at(-1)) !== undefined) target.name = last
}

/** What stands in the place of this reference inside RETURNING, where it is to a masked column of the target. */
export function maskedReturn(masking: Masking, reference: ColumnRef, scope: Scope): Node | undefined {
  const names = namesOf(reference.fields)
  const last = names[names.length - 1]
  if (last === undefined || names.length !== (reference.fields ?? []).length) return undefined
  for (const source of meant(scope, names)) {
    if (!source.target) continue
    for (const relation of source.relations) {
      const transform = masking.of(relation).get(last)
      if (transform === undefined) continue
      if (source.relations.length > 1) throw new Untraceable('a name that more than one table has')
      return masking.expression(relation, last, transform, names)
    }
  }
  return undefined
}

function meant(scope: Scope, names: readonly string[]): readonly Source[] {
  const [first = '', second = ''] = names.length > 2 ? names.slice(-3) : names
  if (names.length > 2) return scope.aliased(second, first)
  if (names.length === 2) return scope.aliased(first)
  for (const around of scope.chain()) {
    const found = around.sources.filter((source) => !source.byAliasOnly && source.columns.has(first))
    if (found.length > 0) return found
  }
  return []
}
