// The items of FROM: tables, sub-queries, functions, joins. Each brings a source into scope.

import type { JoinExpr, Node, RangeFunction, RangeSubselect, RangeTableSample, RangeVar } from 'libpg-query'
import { judgeOperator } from './functions.js'
import { pendingOutputs } from './queries.js'
import { readColumn, readRelation, relationsNamed } from './reads.js'
import { Scope, derivedSource, joinSource, openSource, relationSource } from './scope.js'
import type { Source } from './scope.js'
import { namesOf, tagged } from './tree.js'
import { Untraceable } from './walk.js'
import type { Walk } from './walk.js'

export function fromItem(w: Walk, node: Node, scope: Scope): Node {
  const found = tagged(node)
  switch (found?.kind) {
    case 'RangeVar':
      return rangeVar(w, node, found.body, scope)
    case 'RangeSubselect':
      rangeSubselect(w, found.body, scope)
      return node
    case 'RangeFunction':
      rangeFunction(w, found.body, scope)
      return node
    case 'JoinExpr':
      joinExpr(w, found.body, scope)
      return node
    case 'RangeTableSample':
      tableSample(w, found.body, scope)
      return node
    case 'RangeTableFunc':
    case 'JsonTable': {
      const { alias, ...body } = found.body as { readonly alias?: { readonly aliasname?: string } }
      const touched = w.effects.touchedBy(() =>
        w.expression(
          Object.values(body).filter((value) => typeof value === 'object'),
          scope,
        ),
      )
      scope.sources.push(openSource(alias?.aliasname ?? found.kind.toLowerCase(), touched))
      return node
    }
    case undefined:
    default:
      w.effects.unknown(found?.kind ?? 'select')
      return node
  }
}

function rangeVar(w: Walk, node: Node, range: RangeVar, scope: Scope): Node {
  const alias = range.alias?.aliasname ?? range.relname ?? ''
  const columnNames = namesOf(range.alias?.colnames)
  const cte = range.schemaname === undefined ? scope.cte(range.relname ?? '') : undefined
  if (cte !== undefined) {
    const outputs = cte.outputs ?? pendingOutputs(w)
    scope.sources.push(derivedSource(alias, renamed(outputs, cte.columnNames), columnNames))
    return node
  }
  const relations = relationsNamed(w, range)
  for (const relation of relations) readRelation(w, relation)
  const replacement = w.masking?.replace(range, relations)
  scope.sources.push(
    relationSource(relations, { alias, named: range.alias === undefined, columnNames, replaced: replacement !== undefined }),
  )
  return replacement ?? node
}

function renamed(outputs: ReturnType<typeof pendingOutputs>, names: readonly string[]): ReturnType<typeof pendingOutputs> {
  if (names.length === 0) return outputs
  return { ...outputs, columns: outputs.columns.map((column, at) => ({ ...column, name: names[at] ?? column.name })) }
}

/** LATERAL sees what stands before it in the same FROM. */
function rangeSubselect(w: Walk, range: RangeSubselect, scope: Scope): void {
  const outer = range.lateral === true ? scope : aroundFrom(scope)
  const outputs = w.dataStatement(range.subquery, outer)
  w.effects.touch(outputs.always)
  scope.sources.push(derivedSource(range.alias?.aliasname ?? '', outputs, namesOf(range.alias?.colnames)))
}

/** The scope without the sources of its own FROM. */
function aroundFrom(scope: Scope): Scope {
  const around = new Scope(scope.parent, scope.isDefinition)
  for (const [name, cte] of scope.ctes) around.ctes.set(name, cte)
  return around
}

function rangeFunction(w: Walk, range: RangeFunction, scope: Scope): void {
  const touched = w.effects.touchedBy(() => {
    // ROWS FROM: each function with the columns it is said to give.
    for (const item of range.functions ?? []) {
      const [call, ...columns] = (tagged(item)?.body.items ?? []) as readonly unknown[]
      w.expression(call, scope)
      w.expression(columns, new Scope(scope, true))
    }
    w.expression(range.coldeflist, new Scope(scope, true))
  })
  w.effects.touch(touched)
  const [first] = (tagged(range.functions?.[0])?.body.items ?? []) as readonly unknown[]
  const call = tagged(first)
  const name = call?.kind === 'FuncCall' ? namesOf(call.body.funcname as readonly unknown[]) : []
  scope.sources.push(openSource(range.alias?.aliasname ?? name[name.length - 1] ?? '', touched))
}

function tableSample(w: Walk, sample: RangeTableSample, scope: Scope): void {
  if (sample.relation !== undefined && w.fromItem(sample.relation, scope) !== sample.relation) {
    throw new Untraceable('TABLESAMPLE of a masked table')
  }
  const method = namesOf(sample.method)
  if (!['system', 'bernoulli'].includes(method[method.length - 1] ?? '')) w.effects.unknown('select')
  w.expression([sample.args, sample.repeatable], scope)
}

function joinExpr(w: Walk, join: JoinExpr, scope: Scope): void {
  if (w.masking !== undefined) w.masking.sawJoin = true
  const before = scope.sources.length
  if (join.larg !== undefined) join.larg = w.fromItem(join.larg, scope)
  const middle = scope.sources.length
  if (join.rarg !== undefined) join.rarg = w.fromItem(join.rarg, scope)
  const left = scope.sources.slice(before, middle)
  const right = scope.sources.slice(middle)
  const using = namesOf(join.usingClause)
  if (using.length > 0 || join.isNatural === true) judgeOperator(w, ['='])
  const shared = join.isNatural === true ? commonColumns(left, right) : using
  for (const name of shared) for (const source of [...left, ...right]) touchShared(w, source, name)
  w.expression(join.quals, scope)
  const alias = join.alias?.aliasname ?? join.join_using_alias?.aliasname
  if (alias !== undefined) scope.sources.push(joinSource(alias, [...left, ...right]))
}

function commonColumns(left: readonly Source[], right: readonly Source[]): string[] {
  const names = (sources: readonly Source[]): string[] => sources.flatMap((source) => [...source.columns.keys()])
  if ([...left, ...right].some((source) => source.open)) return [...new Set([...names(left), ...names(right)])]
  const there = new Set(names(right))
  return names(left).filter((name) => there.has(name))
}

function touchShared(w: Walk, source: Source, name: string): void {
  const meaning = source.columns.get(name)
  for (const [relation, column] of meaning?.columns ?? []) readColumn(w, relation, column)
  if (meaning !== undefined) w.effects.touch(meaning.touched)
}
