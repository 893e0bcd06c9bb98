// What of PostgreSQL's own is vouched for, and what of it shows more than it seems.

import { harmlessNames } from './builtins.data.js'
import type { Relation } from './catalog-index.js'

export const harmlessFunctions: ReadonlySet<string> = new Set(harmlessNames.trim().split(/\s+/))

/** Functions that act on the server or on other sessions. */
export const adminFunctions: ReadonlySet<string> = new Set([
  'pg_cancel_backend',
  'pg_terminate_backend',
  'pg_reload_conf',
  'pg_rotate_logfile',
  'pg_promote',
  'pg_switch_wal',
  'pg_create_restore_point',
  'pg_wal_replay_pause',
  'pg_wal_replay_resume',
  'pg_log_backend_memory_contexts',
  'pg_stat_reset',
  'pg_stat_reset_shared',
])

/**
 * Extensions whose functions, operators and casts compute from their arguments and nothing else, and which overload names of
 * pg_catalog (citext's `max`, its `=`), so that without this list a database that has them would be understood nowhere.
 */
export const pureExtensions: ReadonlySet<string> = new Set([
  'btree_gin',
  'btree_gist',
  'citext',
  'cube',
  'earthdistance',
  'fuzzystrmatch',
  'hstore',
  'intarray',
  'isn',
  'ltree',
  'pg_trgm',
  'pgcrypto',
  'seg',
  'unaccent',
  'uuid-ossp',
  'vector',
])

/** Relations of the catalogue that carry rows' values, other sessions' statements or credentials (design, sections 2.3 and 3.2). */
const telling: ReadonlySet<string> = new Set([
  'pg_authid',
  'pg_cursors',
  'pg_file_settings',
  'pg_hba_file_rules',
  'pg_ident_file_mappings',
  'pg_largeobject',
  'pg_prepared_statements',
  'pg_prepared_xacts',
  'pg_shadow',
  'pg_stat_activity',
  'pg_stat_wal_receiver',
  'pg_statistic',
  'pg_statistic_ext_data',
  'pg_stats',
  'pg_stats_ext',
  'pg_stats_ext_exprs',
  'pg_user_mapping',
  'pg_user_mappings',
  '_pg_user_mappings',
  'user_mapping_options',
])

/** Only these columns of them tell something; psql and pg_dump read the others. */
const tellingColumns: ReadonlyMap<string, string> = new Map([['pg_subscription', 'subconninfo']])

export function isSystem(relation: Relation): boolean {
  return relation.schema === 'pg_catalog' || relation.schema === 'information_schema'
}

export function isTelling(relation: Relation): boolean {
  return (
    (isSystem(relation) && telling.has(relation.name)) ||
    relation.name.startsWith('pg_stat_statements') ||
    relation.schema === 'pg_toast'
  )
}

export function isTellingColumn(relation: Relation, column: string): boolean {
  return isSystem(relation) && tellingColumns.get(relation.name) === column
}

/** Columns every table has beside its own (ddl.sgml, "System Columns"). */
export const systemColumns: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])
