// SELECT in all its forms: WITH, set operations, VALUES, and the plain one.

import type { ColumnRef, CommonTableExpr, FuncCall, Node, SelectStmt, TypeName, WithClause } from 'libpg-query'
import { starOutputs } from './columns.js'
import { judgeOperator } from './functions.js'
import { Scope } from './scope.js'
import { creates } from './reads.js'
import { isBody, nameOf, namesOf, tagged } from './tree.js'
import type { Output, Outputs, Walk } from './walk.js'

export const noOutputs: Outputs = { columns: [], open: false, always: new Set() }

export function withClause(w: Walk, clause: WithClause | undefined, scope: Scope): void {
  const ctes = (clause?.ctes ?? []).flatMap((node) => {
    const found = tagged(node)
    const cte: CommonTableExpr | undefined = found?.kind === 'CommonTableExpr' ? found.body : undefined
    return cte === undefined ? [] : [cte]
  })
  if (clause?.recursive === true) {
    for (const cte of ctes) scope.ctes.set(cte.ctename ?? '', { outputs: undefined, columnNames: namesOf(cte.aliascolnames) })
  }
  for (const cte of ctes) commonTable(w, cte, scope)
}

function commonTable(w: Walk, cte: CommonTableExpr, scope: Scope): void {
  const outputs = w.dataStatement(cte.ctequery, scope)
  w.effects.touch(outputs.always)
  const hasMore = cte.search_clause !== undefined || cte.cycle_clause !== undefined
  const read = hasMore ? { ...outputs, open: true } : outputs
  const pending = scope.ctes.get(cte.ctename ?? '')
  if (pending !== undefined && pending.outputs === undefined) pending.outputs = read
  else scope.ctes.set(cte.ctename ?? '', { outputs: read, columnNames: namesOf(cte.aliascolnames) })
  for (const clause of [cte.search_clause, cte.cycle_clause])
    if (isBody(clause)) w.expression(Object.values(clause).filter(isBody), new Scope(scope, true))
}

export function query(w: Walk, select: SelectStmt, outer: Scope | undefined): Outputs {
  const scope = new Scope(outer)
  let columns: readonly Output[] = []
  let open = false
  const always = w.effects.touchedBy(() => {
    withClause(w, select.withClause, scope)
    if (select.intoClause !== undefined) creates(w, select.intoClause.rel)
    const read = body(w, select, scope)
    columns = read.columns
    open = read.open
    w.effects.touch(read.always)
    scope.outputNames = new Set(columns.flatMap((column) => column.name ?? []))
    for (const part of [select.sortClause, select.limitCount, select.limitOffset]) w.expression(part, scope)
  })
  return { columns, open, always }
}

function body(w: Walk, select: SelectStmt, scope: Scope): Outputs {
  if (select.valuesLists !== undefined) return values(w, select.valuesLists, scope)
  if (select.op !== undefined && select.op !== 'SETOP_NONE') return setOperation(w, select, scope)
  return plain(w, select, scope)
}

function values(w: Walk, lists: readonly Node[], scope: Scope): Outputs {
  const columns: Output[] = []
  for (const list of lists) {
    const items = (tagged(list)?.body.items ?? []) as readonly unknown[]
    for (const [at, item] of items.entries()) {
      const touched = w.effects.touchedBy(() => w.expression(item, scope))
      columns[at] = { name: `column${at + 1}`, touched: new Set([...(columns[at]?.touched ?? []), ...touched]), plain: undefined }
    }
  }
  return { columns, open: false, always: new Set() }
}

function setOperation(w: Walk, select: SelectStmt, scope: Scope): Outputs {
  if (select.larg === undefined || select.rarg === undefined) {
    w.effects.unknown('select')
    return noOutputs
  }
  const left = w.query(select.larg, scope)
  const right = w.query(select.rarg, scope)
  // By position; UNION ALL apart, which rows there are depends on all columns of both.
  const columns = left.columns.map((column, at) => ({
    name: column.name,
    touched: new Set([...column.touched, ...(right.columns[at]?.touched ?? [])]),
    plain: undefined,
  }))
  const isPlainUnion = select.op === 'SETOP_UNION' && select.all === true
  const compared = isPlainUnion ? [] : [...left.columns, ...right.columns].flatMap((column) => [...column.touched])
  return { columns, open: left.open || right.open, always: new Set([...left.always, ...right.always, ...compared]) }
}

function plain(w: Walk, select: SelectStmt, scope: Scope): Outputs {
  const { fromClause } = select
  let outputs: Outputs = noOutputs
  const always = w.effects.touchedBy(() => {
    if (fromClause !== undefined) for (const [at, item] of fromClause.entries()) fromClause[at] = w.fromItem(item, scope)
    w.expression(select.whereClause, scope)
    outputs = targets(w, select.targetList ?? [], scope)
    scope.outputNames = new Set(outputs.columns.flatMap((column) => column.name ?? []))
    for (const part of [select.groupClause, select.havingClause, select.windowClause]) w.expression(part, scope)
    distinct(w, select, outputs, scope)
  })
  return { columns: outputs.columns, open: outputs.open, always }
}

function distinct(w: Walk, select: SelectStmt, outputs: Outputs, scope: Scope): void {
  const clause = select.distinctClause ?? []
  if (clause.length === 0) return
  judgeOperator(w, ['='])
  const named = clause.filter((node) => tagged(node) !== undefined)
  w.expression(named, scope)
  if (named.length === 0) for (const column of outputs.columns) w.effects.touch(column.touched)
}

/** A select list, or RETURNING. */
export function targets(w: Walk, list: readonly Node[], scope: Scope): Outputs {
  const columns: Output[] = []
  let open = false
  for (const node of list) {
    const target = tagged(node)
    const value = target?.kind === 'ResTarget' ? target.body.val : node
    const reference = tagged(value)
    const fields = reference?.kind === 'ColumnRef' ? ((reference.body as ColumnRef).fields ?? []) : []
    if (tagged(fields[fields.length - 1])?.kind === 'A_Star') {
      const star = starOutputs(w, scope, fields)
      if (fields.length > 2 && reference !== undefined && dropsSchema(scope, fields))
        Object.assign(reference.body, { fields: fields.slice(-2) })
      columns.push(...star.columns)
      open ||= star.open
      continue
    }
    const touched = w.effects.touchedBy(() => w.expression(value, scope))
    const name = target?.kind === 'ResTarget' && typeof target.body.name === 'string' ? target.body.name : givenName(value)
    columns.push({ name, touched, plain: fields.length > 0 && touched.size === 1 ? [...touched][0] : undefined })
  }
  return { columns, open, always: new Set() }
}

function dropsSchema(scope: Scope, fields: readonly unknown[]): boolean {
  return scope.aliased(nameOf(fields[fields.length - 2]) ?? '').some((source) => source.replaced)
}

/** The name PostgreSQL gives an output column (FigureColname, parse_target.c), as far as it is followed here. */
function givenName(value: unknown): string | undefined {
  const found = tagged(value)
  if (found === undefined) return undefined
  if (found.kind === 'ColumnRef') return lastOf(namesOf((found.body as ColumnRef).fields))
  if (found.kind === 'FuncCall') return lastOf(namesOf((found.body as FuncCall).funcname))
  if (found.kind === 'TypeCast')
    return givenName(found.body.arg) ?? lastOf(namesOf((found.body.typeName as TypeName | undefined)?.names))
  return undefined
}

function lastOf(names: readonly string[]): string | undefined {
  return names[names.length - 1]
}

/** Where a name inside means something that is only read later, what reaches which column is not known. */
export function pendingOutputs(w: Walk): Outputs {
  w.facts.imprecise = true
  return { columns: [], open: true, always: new Set() }
}
