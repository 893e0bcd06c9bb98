// SET, RESET, set_config and ALTER ... SET: which settings are harmless, which belong to an administrator, which must stay as they are.

import type { VariableSetStmt } from 'libpg-query'
import { constantOf } from './tree.js'
import type { Walk } from './walk.js'

/** Settings of a session that change neither who it is, nor what its texts mean, nor what it may see. Prefixes end in `*`. */
const harmless: ReadonlySet<string> = new Set(
  `application_name array_nulls backslash_quote bytea_output check_function_bodies client_connection_check_interval client_encoding
  client_min_messages commit_delay commit_siblings constraint_exclusion cpu_index_tuple_cost cpu_operator_cost cpu_tuple_cost
  createrole_self_grant cursor_tuple_fraction datestyle deadlock_timeout default_statistics_target default_table_access_method
  default_tablespace default_text_search_config default_toast_compression default_transaction_deferrable
  default_transaction_isolation default_transaction_read_only effective_cache_size effective_io_concurrency
  escape_string_warning exit_on_error extra_float_digits from_collapse_limit geqo gin_fuzzy_search_limit
  gin_pending_list_limit hash_mem_multiplier icu_validation_level idle_in_transaction_session_timeout idle_session_timeout
  intervalstyle jit join_collapse_limit lc_monetary lc_numeric lc_time lock_timeout logical_decoding_work_mem
  maintenance_io_concurrency maintenance_work_mem max_parallel_maintenance_workers max_parallel_workers
  max_parallel_workers_per_gather min_parallel_index_scan_size min_parallel_table_scan_size parallel_leader_participation
  parallel_setup_cost parallel_tuple_cost plan_cache_mode quote_all_identifiers random_page_cost recursive_worktable_factor
  search_path seed seq_page_cost server_version ssl_renegotiation_limit standard_conforming_strings statement_timeout
  stats_fetch_consistency synchronize_seqscans synchronous_commit tcp_keepalives_count tcp_keepalives_idle
  tcp_keepalives_interval tcp_user_timeout temp_buffers temp_tablespaces timezone timezone_abbreviations
  transaction_deferrable transaction_isolation transaction_read_only transaction_timeout transform_null_equals
  vacuum_buffer_usage_limit vacuum_cost_delay vacuum_cost_limit vacuum_cost_page_dirty vacuum_cost_page_hit
  vacuum_cost_page_miss vacuum_freeze_min_age vacuum_freeze_table_age work_mem xmlbinary xmloption`
    .trim()
    .split(/\s+/),
)

const harmlessPrefix = /^(enable_|geqo_|jit_|debug_(?:parallel_query|discard_caches)|force_parallel_mode)/

const utf8 = /^(?:utf-?8|unicode)$/i
const on = /^(?:on|true|tru|tr|t|yes|ye|y|1)$/i

/** Why this setting may not have this value, whatever the rules say: the text would then mean something else to the server. */
export function refusalOf(name: string, values: readonly string[]): string | undefined {
  const value = values.length === 1 ? (values[0] ?? '') : ''
  if (name === 'standard_conforming_strings' && !on.test(value)) return 'standard_conforming_strings must stay on'
  if (name === 'client_encoding' && !utf8.test(value.replaceAll(/[^A-Za-z0-9]/g, ''))) return 'client_encoding must stay UTF8'
  // These print parse trees and plans, constants included, into the client's notices (guc_tables.c, DEVELOPER_OPTIONS and LOGGING_WHAT).
  if (name.startsWith('debug_print_') && !/^(?:off|false|no|0|f|n)$/i.test(value)) return `${name} must stay off`
  return undefined
}

/** One setting takes these values; `values` undefined: its default. */
export function judgeSetting(w: Walk, name: string, values: readonly string[] | undefined): void {
  if (values !== undefined) w.facts.refusal ??= refusalOf(name, values)
  if (name === 'search_path') w.facts.addsSchemas.push(...(values ?? w.index.schemas).map((schema) => userSchema(w, schema)))
  if (harmless.has(name) || harmlessPrefix.test(name)) return
  // A setting with a dot belongs to an application or an extension; row security policies often read it.
  w.effects.add(name.includes('.') ? 'write' : 'admin', 'set', '')
}

function userSchema(w: Walk, schema: string): string {
  return schema === '$user' ? w.user : schema
}

export function variableSet(w: Walk, statement: VariableSetStmt): void {
  const name = (statement.name ?? '').toLowerCase()
  switch (statement.kind) {
    case 'VAR_SET_VALUE': {
      const values = (statement.args ?? []).map(constantOf)
      const constants = values.filter((value) => value !== undefined)
      // An interval for TIME ZONE is the only value that is no plain constant.
      if (constants.length === values.length || name === 'timezone') judgeSetting(w, name, constants)
      else w.effects.unknown('set')
      return
    }
    case 'VAR_SET_MULTI':
      // TRANSACTION and SESSION CHARACTERISTICS; a snapshot is only of this database's own data.
      return
    case 'VAR_RESET_ALL':
      w.facts.addsSchemas.push(...w.index.schemas)
      return
    case 'VAR_SET_DEFAULT':
    case 'VAR_RESET':
      judgeSetting(w, name, undefined)
      return
    case 'VAR_SET_CURRENT':
      return
    case undefined:
      w.effects.unknown('set')
  }
}
