// Every kind of statement, and what it does. A kind that is not named here or in definitions.ts is unknown.

import type { Effect } from '@sallyport/core'
import type {
  CallStmt,
  CopyStmt,
  DeclareCursorStmt,
  ExecuteStmt,
  ExplainStmt,
  FetchStmt,
  LockStmt,
  Node,
  PrepareStmt,
  TruncateStmt,
  VacuumStmt,
} from 'libpg-query'
import { definitionHandlers } from './definitions.js'
import type { Handler } from './definitions.js'
import { insert, merge, remove, update } from './dml.js'
import { Effects } from './effects.js'
import { judgeFunction } from './functions.js'
import { asRange, relationsOf } from './objects.js'
import { noOutputs } from './queries.js'
import { readColumn, readRelation, relationsNamed, writeRelation } from './reads.js'
import { Scope, relationSource } from './scope.js'
import { variableSet } from './settings.js'
import { namesOf, tagged, textOf } from './tree.js'
import type { Body } from './tree.js'
import type { Outputs, Walk } from './walk.js'

export function dataStatement(w: Walk, node: unknown, outer: Scope | undefined): Outputs {
  const found = tagged(node)
  switch (found?.kind) {
    case 'SelectStmt':
      return w.query(found.body, outer)
    case 'InsertStmt':
      return insert(w, found.body, outer)
    case 'UpdateStmt':
      return update(w, found.body, outer)
    case 'DeleteStmt':
      return remove(w, found.body, outer)
    case 'MergeStmt':
      return merge(w, found.body, outer)
    case undefined:
    default:
      w.effects.unknown(found?.kind ?? 'select')
      return noOutputs
  }
}

function rows(w: Walk, body: Body, kind: string): void {
  dataStatement(w, { [kind]: body }, undefined)
}

function truncate(w: Walk, body: Body): void {
  const { relations = [], behavior } = body as TruncateStmt
  for (const node of relations) {
    for (const relation of relationsNamed(w, asRange(node) ?? {})) {
      const cascaded = behavior === 'DROP_CASCADE' ? w.index.referencing(relation) : []
      for (const one of [relation, ...cascaded]) writeRelation(w, one, 'truncate', { bounded: false })
    }
  }
}

function copy(w: Walk, body: Body): void {
  const copied = body as CopyStmt
  const isOutside = copied.is_program === true || copied.filename !== undefined
  if (isOutside) w.effects.add('admin', 'copy', '')
  if (copied.query !== undefined) {
    w.effects.add('read', 'copy', '')
    dataStatement(w, copied.query, undefined)
  } else if (copied.is_from === true) copyIn(w, copied)
  else copyOut(w, copied)
  if (copied.is_from === true && !isOutside) w.facts.copiesIn = true
}

function copyIn(w: Walk, copied: CopyStmt): void {
  const relations = relationsNamed(w, copied.relation ?? {})
  w.facts.dataWrites++
  const named = namesOf(copied.attlist)
  for (const relation of relations) {
    if (w.index.rules(relation).length > 0) w.effects.unknown('copy', relation.id)
    const columns = named.length > 0 ? named : relation.columns?.map((column) => column.name)
    writeRelation(w, relation, 'copy', columns === undefined ? {} : { columns })
  }
  const scope = new Scope(undefined)
  scope.sources.push(relationSource(relations, { alias: copied.relation?.relname ?? '', named: true, target: true }))
  w.expression(copied.whereClause, scope)
}

function copyOut(w: Walk, copied: CopyStmt): void {
  const relations = relationsNamed(w, copied.relation ?? {})
  const named = namesOf(copied.attlist)
  for (const relation of relations) {
    readRelation(w, relation)
    // Without a list COPY leaves generated columns out (copy.sgml).
    const columns =
      named.length > 0 ? named : (relation.columns ?? []).filter((column) => !column.generated).map((column) => column.name)
    for (const column of relation.columns === undefined && named.length === 0 ? ['*'] : columns) readColumn(w, relation, column)
    w.effects.add('read', 'copy', relation.id, { columns: columns.map((column) => `${relation.id}.${column}`) })
    if (w.masking?.replace(copied.relation ?? {}, relations) === undefined) continue
    copied.query = w.masking.select(relation, relation.kind === 'r', columns)
    delete copied.relation
    delete copied.attlist
  }
}

function explain(w: Walk, body: Body): void {
  const { query } = body as ExplainStmt
  if (query === undefined) return w.effects.unknown('explain')
  if (w.masking !== undefined) w.masking.isExplaining = true
  w.statement(query)
  if (w.masking !== undefined) w.masking.isExplaining = false
}

/** What `part` does, which is also added to what the text does. */
function apart(w: Walk, part: () => void): readonly Effect[] {
  const around = w.effects
  const mine = new Effects()
  w.effects = mine
  try {
    part()
  } finally {
    w.effects = around
  }
  const effects = mine.list()
  around.addAll(effects)
  return effects
}

function prepare(w: Walk, body: Body): void {
  const { name = '', query, argtypes } = body as PrepareStmt
  const effects = apart(w, () => {
    w.expression(argtypes, new Scope(undefined, true))
    if (query !== undefined) w.statement(query)
  })
  w.facts.prepares.push({ name, effects, text: w.facts.statementText })
}

function execute(w: Walk, body: Body): void {
  const { name = '', params } = body as ExecuteStmt
  if (!w.facts.prepares.some((prepared) => prepared.name === name)) w.facts.executes.push(name)
  w.expression(params, new Scope(undefined))
}

function declare(w: Walk, body: Body): void {
  const { portalname = '', query } = body as DeclareCursorStmt
  const effects = apart(w, () => {
    if (query !== undefined) w.statement(query)
  })
  w.facts.declares.push({ name: portalname, effects })
}

function fetch(w: Walk, body: Body): void {
  const { portalname = '' } = body as FetchStmt
  if (!w.facts.declares.some((declared) => declared.name === portalname)) w.facts.fetches.push(portalname)
}

function call(w: Walk, body: Body): void {
  const { funccall } = body as CallStmt
  w.facts.changesCatalog = true
  const names = namesOf(funccall?.funcname)
  const effects = apart(w, () => void judgeFunction(w, names))
  // A procedure that is vouched for still exists to change something.
  for (const effect of effects) if (effect.access === 'read') w.effects.add('write', 'call', effect.object)
  if (effects.length === 0) w.effects.unknown('call', names.join('.'))
  w.expression(funccall?.args, new Scope(undefined))
}

function maintain(w: Walk, relations: readonly unknown[], verb: string, access: 'write' | 'schema'): void {
  if (relations.length === 0) w.effects.add(access, verb, '')
  for (const node of relations) {
    const range = asRange(node) ?? asRange(tagged(node)?.body.relation)
    for (const relation of relationsNamed(w, range ?? {})) w.effects.add(access, verb, relation.id)
  }
}

function lock(w: Walk, body: Body): void {
  const { relations = [], mode } = body as LockStmt
  // ACCESS SHARE (lockdefs.h, AccessShareLock 1) is what any SELECT takes.
  for (const node of relations) {
    for (const relation of relationsNamed(w, asRange(node) ?? {})) w.effects.add(mode === 1 ? 'read' : 'write', 'lock', relation.id)
  }
}

function refresh(w: Walk, body: Body): void {
  const relations = relationsOf(w, 'OBJECT_MATVIEW', { RangeVar: body.relation })
  w.masking?.refuse(relations, 'REFRESH')
  for (const relation of relations) {
    readRelation(w, relation)
    w.effects.add('write', 'refresh', relation.id)
  }
}

function discard(w: Walk, body: Body): void {
  if (body.target !== 'DISCARD_ALL') return
  w.facts.deallocates.push('*')
  w.facts.addsSchemas.push(...w.index.schemas)
}

const silent: Handler = () => undefined

const handlers: Readonly<Record<string, Handler>> = {
  ...definitionHandlers,
  SelectStmt: (w, body) => rows(w, body, 'SelectStmt'),
  InsertStmt: (w, body) => rows(w, body, 'InsertStmt'),
  UpdateStmt: (w, body) => rows(w, body, 'UpdateStmt'),
  DeleteStmt: (w, body) => rows(w, body, 'DeleteStmt'),
  MergeStmt: (w, body) => rows(w, body, 'MergeStmt'),
  TruncateStmt: truncate,
  CopyStmt: copy,
  ExplainStmt: explain,
  PrepareStmt: prepare,
  ExecuteStmt: execute,
  DeallocateStmt: (w, body) => void w.facts.deallocates.push(body.isall === true ? '*' : textOf(body.name, '*')),
  DeclareCursorStmt: declare,
  FetchStmt: fetch,
  ClosePortalStmt: silent,
  TransactionStmt: silent,
  ConstraintsSetStmt: silent,
  VariableShowStmt: silent,
  VariableSetStmt: (w, body) => variableSet(w, body),
  DiscardStmt: discard,
  LockStmt: lock,
  CallStmt: call,
  DoStmt: (w) => {
    w.facts.changesCatalog = true
    w.facts.holdsSecret ||= /password/i.test(w.facts.statementText)
    w.effects.unknown('do')
  },
  VacuumStmt: (w, body) => {
    const { rels = [], is_vacuumcmd: isVacuum } = body as VacuumStmt
    maintain(w, rels, isVacuum === true ? 'vacuum' : 'analyze', 'write')
  },
  ReindexStmt: (w, body) => maintain(w, body.relation === undefined ? [] : [body.relation], 'reindex', 'schema'),
  ClusterStmt: (w, body) => maintain(w, body.relation === undefined ? [] : [body.relation], 'cluster', 'schema'),
  RefreshMatViewStmt: refresh,
  CheckPointStmt: (w) => w.effects.add('admin', 'checkpoint', ''),
  LoadStmt: (w) => {
    w.effects.add('admin', 'load', '')
    w.effects.unknown('load')
  },
  ListenStmt: (w) => w.effects.add('read', 'listen', ''),
  UnlistenStmt: silent,
  NotifyStmt: (w) => w.effects.add('write', 'notify', ''),
}

export function statement(w: Walk, node: Node): void {
  const found = tagged(node)
  const handle = found === undefined ? undefined : handlers[found.kind]
  if (found === undefined || handle === undefined) w.effects.unknown(found?.kind ?? 'unknown')
  else handle(w, found.body)
}
