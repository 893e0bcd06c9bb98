// Expressions, node by node. A kind of node that is not named here is unknown, never silent.

import type { A_Expr, ColumnRef, SelectStmt, SubLink } from 'libpg-query'
import { columnReference, indirection } from './columns.js'
import { functionCall, judgeOperator, judgeType } from './functions.js'
import type { Masking } from './masking.js'
import { maskedReturn } from './returning.js'
import type { Scope } from './scope.js'
import { isBody, namesOf, tagged } from './tree.js'
import type { Body } from './tree.js'
import type { Walk } from './walk.js'

/** Nodes that do no more than what is inside them does. */
const transparent: ReadonlySet<string> = new Set([
  'A_ArrayExpr',
  'A_Const',
  'A_Indices',
  'A_Star',
  'BitString',
  'BoolExpr',
  'Boolean',
  'BooleanTest',
  'CaseWhen',
  'CoalesceExpr',
  'CollateClause',
  'CurrentOfExpr',
  'Float',
  'GroupingFunc',
  'GroupingSet',
  'Integer',
  'List',
  'MergeSupportFunc',
  'MinMaxExpr',
  'MultiAssignRef',
  'NamedArgExpr',
  'NullTest',
  'ParamRef',
  'ResTarget',
  'RowExpr',
  'SQLValueFunction',
  'SetToDefault',
  'String',
  'WindowDef',
  'XmlExpr',
  'XmlSerialize',
  'LockingClause',
  'RangeTableFuncCol',
  'JsonAggConstructor',
  'JsonArgument',
  'JsonArrayAgg',
  'JsonArrayConstructor',
  'JsonArrayQueryConstructor',
  'JsonBehavior',
  'JsonFormat',
  'JsonFuncExpr',
  'JsonIsPredicate',
  'JsonKeyValue',
  'JsonObjectAgg',
  'JsonObjectConstructor',
  'JsonOutput',
  'JsonParseExpr',
  'JsonReturning',
  'JsonScalarExpr',
  'JsonSerializeExpr',
  'JsonTableColumn',
  'JsonTablePathSpec',
  'JsonValueExpr',
])

/** Nodes met only inside definitions (CREATE, ALTER). */
const defining: ReadonlySet<string> = new Set([
  'AccessPriv',
  'AlterTableCmd',
  'Alias',
  'CollateClause',
  'ColumnDef',
  'Constraint',
  'CreateStatsStmt',
  'DefElem',
  'IndexElem',
  'IndexStmt',
  'PartitionBoundSpec',
  'PartitionCmd',
  'PartitionElem',
  'PartitionRangeDatum',
  'PartitionSpec',
  'ReplicaIdentityStmt',
  'RoleSpec',
  'PublicationObjSpec',
  'PublicationTable',
  'TriggerTransition',
  'ATAlterConstraint',
  'StatsElem',
  'TableLikeClause',
  'ObjectWithArgs',
  'FunctionParameter',
  'VacuumRelation',
  'TypeCast',
])

const handlers: Readonly<Record<string, (w: Walk, body: Body, scope: Scope) => void>> = {
  ColumnRef: (w, body, scope) => columnReference(w, body, scope),
  A_Indirection: (w, body, scope) => indirection(w, body, scope),
  FuncCall: (w, body, scope) => {
    functionCall(w, body)
    children(w, { ...body, funcname: undefined }, scope)
  },
  A_Expr: (w, body, scope) => {
    judgeOperator(w, namesOf((body as A_Expr).name))
    children(w, { ...body, name: undefined }, scope)
  },
  CaseExpr: (w, body, scope) => {
    if (body.arg !== undefined) judgeOperator(w, ['='])
    children(w, body, scope)
  },
  SortBy: (w, body, scope) => {
    const operator = namesOf(body.useOp as readonly unknown[] | undefined)
    if (operator.length > 0) judgeOperator(w, operator)
    children(w, body, scope)
  },
  TypeName: (w, body, scope) => typeName(w, body, scope),
  TypeCast: (w, body, scope) => children(w, body, scope),
  SubLink: subLink,
  SelectStmt: (w, body, scope) => subQuery(w, body, scope),
  RangeVar: (w, body) => w.mention(body),
}

function typeName(w: Walk, body: Body, scope: Scope): void {
  judgeType(w, body)
  children(w, { typmods: body.typmods }, scope)
}

function subLink(w: Walk, body: Body, scope: Scope): void {
  const link = body as SubLink
  const operator = namesOf(link.operName)
  judgeOperator(w, operator.length > 0 ? operator : ['='])
  if (link.testexpr !== undefined) w.expression(link.testexpr, scope)
  const select = tagged(link.subselect)
  if (select?.kind === 'SelectStmt') subQuery(w, select.body, scope)
  else w.effects.unknown('select')
}

/** A sub-query inside an expression: all it touches the expression touches. */
function subQuery(w: Walk, select: SelectStmt, scope: Scope): void {
  const outputs = w.query(select, scope)
  w.effects.touch(outputs.always)
  for (const output of outputs.columns) w.effects.touch(output.touched)
}

function children(w: Walk, body: Body, scope: Scope): void {
  for (const value of Object.values(body)) child(w, value, scope)
}

function child(w: Walk, value: unknown, scope: Scope): void {
  if (Array.isArray(value)) for (const item of value) child(w, item, scope)
  else if (tagged(value) !== undefined) w.expression(value, scope)
  else if (isBody(value)) structure(w, value, scope)
}

/** A structure that stands in its field without a tag. */
function structure(w: Walk, body: Body, scope: Scope): void {
  if ('names' in body && 'typemod' in body) typeName(w, body, scope)
  else if ('relname' in body) w.mention(body)
  else children(w, body, scope)
}

export function expression(w: Walk, node: unknown, scope: Scope): void {
  const found = tagged(node)
  if (found === undefined) return child(w, node, scope)
  if (found.kind === 'ColumnRef' && w.masking?.isReturning === true)
    return returned(w, w.masking, node as Record<string, unknown>, scope)
  const handle = handlers[found.kind]
  if (handle !== undefined) handle(w, found.body, scope)
  else if (transparent.has(found.kind) || (scope.defining && defining.has(found.kind))) children(w, found.body, scope)
  else w.effects.unknown(found.kind)
}

/** In RETURNING a reference to a masked column of the target is replaced where it stands. */
function returned(w: Walk, masking: Masking, node: Record<string, unknown>, scope: Scope): void {
  const reference = node.ColumnRef as ColumnRef
  const replacement = maskedReturn(masking, reference, scope)
  columnReference(w, reference, scope)
  if (replacement === undefined) return
  delete node.ColumnRef
  Object.assign(node, replacement)
}
