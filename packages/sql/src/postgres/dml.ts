// INSERT, UPDATE, DELETE and MERGE: what is written, what is read to write it, and what RETURNING gives back.

import type {
  DeleteStmt,
  InferClause,
  InsertStmt,
  MergeStmt,
  MergeWhenClause,
  Node,
  OnConflictClause,
  RangeVar,
  ReturningClause,
  UpdateStmt,
} from 'libpg-query'
import type { Relation } from './catalog-index.js'
import { columnReference } from './columns.js'
import { narrows } from './bounded.js'
import { noOutputs, targets, withClause } from './queries.js'
import { relationsNamed, writeRelation } from './reads.js'
import { expandStars } from './returning.js'
import { Scope, relationSource } from './scope.js'
import { tagged, textOf } from './tree.js'
import type { Outputs, Walk } from './walk.js'

/** The event codes of pg_rewrite.ev_type. */
const ruleEvents = { update: '2', insert: '3', delete: '4' } as const

function target(
  w: Walk,
  range: RangeVar | undefined,
  scope: Scope,
  events: readonly (keyof typeof ruleEvents)[],
): readonly Relation[] {
  const relations = relationsNamed(w, range ?? {})
  w.facts.dataWrites++
  w.masking?.writes(relations)
  for (const relation of relations) {
    const rules = w.index.rules(relation)
    for (const event of events) if (rules.includes(ruleEvents[event])) w.effects.unknown(event, relation.id)
  }
  const alias = range?.alias?.aliasname ?? range?.relname ?? ''
  scope.sources.push(relationSource(relations, { alias, named: range?.alias === undefined, target: true }))
  return relations
}

/** The names of the columns set: `a`, or `a.field`, `a[1]`, which set a part of `a`. */
function setColumns(list: readonly Node[] | undefined): string[] {
  return (list ?? []).flatMap((node) => {
    const found = tagged(node)
    return typeof found?.body.name === 'string' ? [found.body.name] : []
  })
}

function setValues(w: Walk, list: readonly Node[] | undefined, scope: Scope): void {
  for (const node of list ?? []) {
    const body = tagged(node)?.body
    w.expression(body?.val, scope)
    for (const part of (body?.indirection ?? []) as readonly unknown[]) w.expression(part, scope)
  }
}

function allColumns(relation: Relation): readonly string[] | undefined {
  return relation.columns?.map((column) => column.name)
}

function otherSources(w: Walk, items: Node[] | undefined, scope: Scope): void {
  if (items !== undefined) for (const [at, item] of items.entries()) items[at] = w.fromItem(item, scope)
}

function aliased(scope: Scope, alias: string): void {
  const relations = scope.sources.find((source) => source.target)?.relations ?? []
  scope.sources.push(relationSource(relations, { alias, named: false, target: true, byAliasOnly: true }))
}

function returning(w: Walk, clause: ReturningClause | undefined, scope: Scope): Outputs {
  if (clause?.exprs === undefined) return noOutputs
  const renamed = (clause.options ?? []).flatMap((node) => textOf(tagged(node)?.body.value))
  for (const alias of ['old', 'new', ...renamed]) if (scope.aliased(alias).length === 0) aliased(scope, alias)
  if (w.masking === undefined) return targets(w, clause.exprs, scope)
  clause.exprs = expandStars(w.masking, clause.exprs, scope)
  w.masking.isReturning = true
  try {
    return targets(w, clause.exprs, scope)
  } finally {
    w.masking.isReturning = false
  }
}

export function insert(w: Walk, statement: InsertStmt, outer: Scope | undefined): Outputs {
  const scope = new Scope(outer)
  withClause(w, statement.withClause, scope)
  const inner = new Scope(scope)
  const relations = target(w, statement.relation, inner, ['insert'])
  const named = setColumns(statement.cols)
  for (const relation of relations) {
    const columns = statement.cols === undefined ? allColumns(relation) : named
    writeRelation(w, relation, 'insert', columns === undefined ? {} : { columns })
  }
  if (statement.selectStmt !== undefined) w.dataStatement(statement.selectStmt, scope)
  if (statement.onConflictClause !== undefined) onConflict(w, statement.onConflictClause, relations, inner)
  return returning(w, statement.returningClause, inner)
}

function onConflict(w: Walk, clause: OnConflictClause, relations: readonly Relation[], scope: Scope): void {
  aliased(scope, 'excluded')
  const infer: InferClause | undefined = clause.infer
  for (const node of infer?.indexElems ?? []) {
    const element = tagged(node)?.body
    if (typeof element?.name === 'string') columnReference(w, { fields: [{ String: { sval: element.name } }] }, scope)
    w.expression(element?.expr, scope)
  }
  w.expression(infer?.whereClause, scope)
  if (clause.action !== 'ONCONFLICT_UPDATE') return
  const columns = setColumns(clause.targetList)
  for (const relation of relations) writeRelation(w, relation, 'update', { columns, bounded: true })
  setValues(w, clause.targetList, scope)
  w.expression(clause.whereClause, scope)
}

export function update(w: Walk, statement: UpdateStmt, outer: Scope | undefined): Outputs {
  const scope = new Scope(outer)
  withClause(w, statement.withClause, scope)
  const relations = target(w, statement.relation, scope, ['update'])
  const more = { columns: setColumns(statement.targetList), bounded: narrows(statement.whereClause) }
  for (const relation of relations) {
    writeRelation(w, relation, 'update', more)
    // Changing this view changes the session's settings (system_views.sql, rule pg_settings_u).
    if (relation.id === 'pg_catalog.pg_settings') w.facts.refusal = 'settings are changed with SET only'
  }
  otherSources(w, statement.fromClause, scope)
  setValues(w, statement.targetList, scope)
  w.expression(statement.whereClause, scope)
  return returning(w, statement.returningClause, scope)
}

export function remove(w: Walk, statement: DeleteStmt, outer: Scope | undefined): Outputs {
  const scope = new Scope(outer)
  withClause(w, statement.withClause, scope)
  const relations = target(w, statement.relation, scope, ['delete'])
  for (const relation of relations) writeRelation(w, relation, 'delete', { bounded: narrows(statement.whereClause) })
  otherSources(w, statement.usingClause, scope)
  w.expression(statement.whereClause, scope)
  return returning(w, statement.returningClause, scope)
}

const mergeVerbs: Readonly<Record<string, keyof typeof ruleEvents>> = {
  CMD_INSERT: 'insert',
  CMD_UPDATE: 'update',
  CMD_DELETE: 'delete',
}

export function merge(w: Walk, statement: MergeStmt, outer: Scope | undefined): Outputs {
  const scope = new Scope(outer)
  withClause(w, statement.withClause, scope)
  const relations = target(w, statement.relation, scope, ['insert', 'update', 'delete'])
  for (const relation of relations) writeRelation(w, relation, 'merge')
  // RETURNING * gives the source's columns first here.
  if (w.masking !== undefined) w.masking.sawJoin = true
  if (statement.sourceRelation !== undefined) statement.sourceRelation = w.fromItem(statement.sourceRelation, scope)
  w.expression(statement.joinCondition, scope)
  for (const node of statement.mergeWhenClauses ?? []) {
    const clause = (tagged(node)?.body ?? {}) as MergeWhenClause
    const verb = mergeVerbs[clause.commandType ?? '']
    const columns = setColumns(clause.targetList)
    const bounded = narrows(statement.joinCondition)
    for (const relation of relations) {
      if (verb === 'insert')
        writeRelation(w, relation, verb, { columns: columns.length > 0 ? columns : (allColumns(relation) ?? []) })
      else if (verb !== undefined) writeRelation(w, relation, verb, verb === 'update' ? { columns, bounded } : { bounded })
    }
    w.expression(clause.condition, scope)
    setValues(w, clause.targetList, scope)
    w.expression(clause.values, scope)
  }
  return returning(w, statement.returningClause, scope)
}
