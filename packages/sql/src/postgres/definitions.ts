// CREATE, ALTER, DROP, GRANT and their kin, statement by statement.

import type { Access } from '@sallyport/core'
import type { AlterTableStmt, CreateTableAsStmt, DropStmt, GrantStmt, Node, RenameStmt, ViewStmt } from 'libpg-query'
import { accessTo, affects, definition, hasOption, redefines, relationsOf } from './objects.js'
import { creates } from './reads.js'
import { refusalOf } from './settings.js'
import { constantOf, isBody, namesOf, tagged, textOf, wrap } from './tree.js'
import type { Body } from './tree.js'
import { Untraceable } from './walk.js'
import type { Walk } from './walk.js'

export type Handler = (w: Walk, body: Body) => void

function inside(body: Body, ...without: readonly string[]): unknown[] {
  return Object.entries(body).flatMap(([field, value]) => (without.includes(field) || typeof value !== 'object' ? [] : [value]))
}

/** One thing is done, whose inside says no more than that. */
function plain(access: Access, verb: string): Handler {
  return (w) => {
    w.facts.changesCatalog = true
    w.effects.add(access, verb, '')
  }
}

/** What is made here runs later, out of sight of any parser. */
function opaque(access: Access, verb: string): Handler {
  return (w, body) => {
    plain(access, verb)(w, body)
    w.effects.unknown(verb)
  }
}

function credentialed(access: Access, verb: string): Handler {
  return (w, body) => {
    opaque(access, verb)(w, body)
    w.facts.holdsSecret = true
  }
}

function onRelation(access: Access, verb: string, isOpaque = false): Handler {
  return (w, body) => {
    definition(w, access, verb, inside(body))
    if (!w.effects.has(access, verb)) w.effects.add(access, verb, '')
    if (isOpaque) w.effects.unknown(verb)
  }
}

function role(verb: string): Handler {
  return (w, body) => {
    plain('admin', verb)(w, body)
    if (hasOption(body, 'options', /password/)) w.facts.holdsSecret = true
  }
}

function createTable(w: Walk, body: Body): void {
  creates(w, body.relation as { readonly relname?: string })
  definition(w, 'schema', 'create', inside(body, 'relation'))
}

function createForeignTable(w: Walk, body: Body): void {
  if (isBody(body.base)) createTable(w, body.base)
  opaque('admin', 'create')(w, body)
  w.facts.holdsSecret = true
}

function createTableAs(w: Walk, body: Body): void {
  const statement = body as CreateTableAsStmt
  creates(w, statement.into?.rel)
  const before = w.masking?.replacements
  if (statement.query !== undefined) w.statement(statement.query)
  // A materialized view keeps its query; one with a mask and its salt inside must not be made.
  if (statement.objtype === 'OBJECT_MATVIEW' && w.masking?.replacements !== before)
    throw new Untraceable('a materialized view of a masked table')
}

function createView(w: Walk, body: Body): void {
  const statement = body as ViewStmt
  creates(w, statement.view)
  const before = w.masking?.replacements
  if (statement.query !== undefined) w.statement(statement.query)
  if (w.masking?.replacements !== before) throw new Untraceable('a view of a masked table')
}

function createSchema(w: Walk, body: Body): void {
  w.facts.changesCatalog = true
  w.effects.add('schema', 'create', `${textOf(body.schemaname, '?')}.*`)
  for (const element of (body.schemaElts ?? []) as readonly Node[]) w.statement(element)
}

function alterTable(w: Walk, body: Body): void {
  const statement = body as AlterTableStmt
  const isAdmin = (statement.cmds ?? []).some((cmd) => /Owner|RowSecurity|RowSec/.test(textOf(tagged(cmd)?.body.subtype)))
  definition(w, isAdmin ? 'admin' : 'schema', 'alter', inside(body))
}

function rename(w: Walk, body: Body): void {
  const { renameType, relation, object, subname = '' } = body as RenameStmt
  const isSchema = renameType === 'OBJECT_SCHEMA'
  const about = isSchema ? wrap('String', { sval: subname }) : (relation ?? object)
  const relations = isSchema ? w.index.inSchema(subname) : relationsOf(w, renameType, about)
  w.masking?.refuse(relations, 'ALTER')
  redefines(w, accessTo(renameType), 'alter', relations)
  affects(w, accessTo(renameType), 'alter', renameType, about)
}

function moved(access: Access | undefined): Handler {
  return (w, body) => {
    const kind = body.objectType
    const about = body.relation ?? body.object
    const relations = relationsOf(w, kind, about)
    w.masking?.refuse(relations, 'ALTER')
    redefines(w, access ?? accessTo(kind), 'alter', relations)
    affects(w, access ?? accessTo(kind), 'alter', kind, about)
  }
}

function drop(w: Walk, body: Body): void {
  const { objects = [], removeType } = body as DropStmt
  for (const object of objects) affects(w, accessTo(removeType), 'drop', removeType, object)
}

function comment(w: Walk, body: Body): void {
  const before = w.facts.changesCatalog
  affects(w, 'schema', 'comment', body.objtype, body.object)
  w.facts.changesCatalog = before
}

function grant(w: Walk, body: Body): void {
  const { objects = [], objtype, targtype, is_grant: isGrant } = body as GrantStmt
  const verb = isGrant === true ? 'grant' : 'revoke'
  const kind = targtype === 'ACL_TARGET_ALL_IN_SCHEMA' ? 'OBJECT_SCHEMA' : objtype
  for (const object of objects) affects(w, 'admin', verb, kind, object)
  if (objects.length === 0) w.effects.add('admin', verb, '')
}

function createFunction(w: Walk, body: Body): void {
  w.facts.changesCatalog = true
  const names = namesOf(body.funcname as readonly unknown[])
  w.effects.add('schema', 'create', `${names[names.length - 2] ?? '?'}.${names[names.length - 1] ?? ''}`)
  w.effects.unknown('create')
  w.facts.holdsSecret ||= /password/i.test(w.facts.statementText)
  functionSettings(w, body.options)
}

function functionSettings(w: Walk, options: unknown): void {
  for (const option of (options ?? []) as readonly unknown[]) {
    const setting = tagged(tagged(option)?.body.arg)
    if (setting?.kind === 'VariableSetStmt') pinned(w, setting.body)
  }
}

/** A setting kept with a function, role, database or server. */
function pinned(w: Walk, body: Body): void {
  if (body.kind !== 'VAR_SET_VALUE') return
  const values = ((body.args ?? []) as readonly unknown[]).map((arg) => constantOf(arg) ?? '')
  w.facts.refusal ??= refusalOf(textOf(body.name).toLowerCase(), values)
}

function settingsOf(w: Walk, body: Body): void {
  w.effects.add('admin', 'alter', '')
  const { setstmt } = body
  if (isBody(setstmt)) pinned(w, setstmt)
}

function define(w: Walk, body: Body): void {
  const names = namesOf(body.defnames as readonly unknown[])
  w.facts.changesCatalog = true
  w.effects.add('schema', 'create', `${names[names.length - 2] ?? '?'}.${names[names.length - 1] ?? ''}`)
  if (['OBJECT_AGGREGATE', 'OBJECT_OPERATOR', 'OBJECT_TYPE'].includes(String(body.kind))) w.effects.unknown('create')
}

function each(
  access: Access,
  verb: string,
  handler: (access: Access, verb: string) => Handler,
  kinds: string,
): Record<string, Handler> {
  return Object.fromEntries(kinds.split(' ').map((kind) => [kind, handler(access, verb)]))
}

export const definitionHandlers: Readonly<Record<string, Handler>> = {
  CreateStmt: createTable,
  CreateForeignTableStmt: createForeignTable,
  CreateTableAsStmt: createTableAs,
  ViewStmt: createView,
  CreateSchemaStmt: createSchema,
  AlterTableStmt: alterTable,
  RenameStmt: rename,
  AlterObjectSchemaStmt: moved(undefined),
  AlterOwnerStmt: moved('admin'),
  AlterObjectDependsStmt: moved(undefined),
  DropStmt: drop,
  CommentStmt: comment,
  GrantStmt: grant,
  CreateFunctionStmt: createFunction,
  AlterFunctionStmt: (w, body) => {
    opaque('schema', 'alter')(w, body)
    functionSettings(w, body.actions)
  },
  DefineStmt: define,
  AlterRoleSetStmt: settingsOf,
  AlterDatabaseSetStmt: settingsOf,
  AlterSystemStmt: settingsOf,
  CreateRoleStmt: role('create'),
  AlterRoleStmt: role('alter'),
  CreateSeqStmt: (w, body) => {
    creates(w, body.sequence as { readonly relname?: string })
  },
  AlterSeqStmt: onRelation('schema', 'alter'),
  IndexStmt: onRelation('schema', 'create'),
  CreateStatsStmt: onRelation('schema', 'create'),
  CreatePolicyStmt: onRelation('admin', 'create', true),
  AlterPolicyStmt: onRelation('admin', 'alter', true),
  CreateTrigStmt: onRelation('schema', 'create', true),
  RuleStmt: (w, body) => {
    definition(w, 'schema', 'create', body.relation)
    w.effects.unknown('create')
  },
  CreatePublicationStmt: onRelation('admin', 'create', true),
  AlterPublicationStmt: onRelation('admin', 'alter', true),
  ...each('schema', 'create', onRelation, 'CreateDomainStmt CompositeTypeStmt'),
  ...each('schema', 'alter', onRelation, 'AlterDomainStmt'),
  ...each('schema', 'create', plain, 'CreateEnumStmt'),
  ...each(
    'schema',
    'alter',
    plain,
    'AlterEnumStmt AlterTSDictionaryStmt AlterTSConfigurationStmt AlterCollationStmt AlterStatsStmt',
  ),
  ...each('schema', 'create', opaque, 'CreateCastStmt CreateOpClassStmt CreateOpFamilyStmt CreateConversionStmt CreateRangeStmt'),
  ...each('schema', 'alter', opaque, 'AlterOperatorStmt AlterTypeStmt AlterOpFamilyStmt'),
  ...each('admin', 'create', opaque, 'CreateEventTrigStmt CreateTransformStmt CreatePLangStmt CreateAmStmt CreateExtensionStmt'),
  ...each('admin', 'alter', opaque, 'AlterEventTrigStmt AlterExtensionStmt AlterExtensionContentsStmt'),
  ...each('admin', 'create', credentialed, 'CreateFdwStmt CreateForeignServerStmt CreateUserMappingStmt CreateSubscriptionStmt'),
  ...each('admin', 'alter', credentialed, 'AlterFdwStmt AlterForeignServerStmt AlterUserMappingStmt AlterSubscriptionStmt'),
  ...each('admin', 'create', credentialed, 'ImportForeignSchemaStmt'),
  ...each('admin', 'create', plain, 'CreatedbStmt CreateTableSpaceStmt'),
  ...each(
    'admin',
    'alter',
    plain,
    'AlterDatabaseStmt AlterDatabaseRefreshCollStmt AlterTableSpaceOptionsStmt AlterTableMoveAllStmt',
  ),
  ...each('admin', 'drop', plain, 'DropRoleStmt DropdbStmt DropOwnedStmt ReassignOwnedStmt DropTableSpaceStmt DropUserMappingStmt'),
  ...each('admin', 'drop', plain, 'DropSubscriptionStmt'),
  ...each('admin', 'grant', plain, 'GrantRoleStmt AlterDefaultPrivilegesStmt'),
  SecLabelStmt: plain('admin', 'comment'),
}
