// What was asked, and what it would do.

export type Access = 'read' | 'write' | 'schema' | 'admin' | 'unknown'

/** One thing a statement does to one object. `unknown` is never `none`: it counts against every rule that could have applied. */
export interface Effect {
  readonly access: Access
  /** Lower case: select, insert, update, delete, truncate, create, drop, alter, copy, call, set, ... */
  readonly verb: string
  /**
   * SQL: `schema.table` (for `call`: `schema.function`); a schema that cannot be told is `?`; '' where there is no object.
   */
  readonly object: string
  /** `schema.table.column`, each column the statement reads (`read`) or sets (`write`); absent: not about columns. */
  readonly columns?: readonly string[]
  /** For update and delete: whether a WHERE clause narrows it by more than a constant. */
  readonly bounded?: boolean
  /** The program that is started, by its base name; `object` is what was written. Parts that cannot be known read `\ufffd`. */
  readonly program?: string
  /** The program's arguments as written. */
  readonly args?: readonly string[]
  /** Its short options one by one, in plain spelling: `-r` and `-f` for `-fr` or `--recursive --force`. */
  readonly options?: readonly string[]
  /** The program runs code that is not known, so it could start any program and touch any file. */
  readonly opaque?: true
  /** The file that is touched: an absolute path, or `~/...` below the login's home. Parts that cannot be known read `\ufffd`. */
  readonly file?: string
  /** HTTP: what this effect is of. */
  readonly request?: RequestFacts
}

/** A request as rules see it. Where a list is absent it could not be told: every rule that names one could apply. */
export interface RequestFacts {
  /** Upper case. */
  readonly method: string
  /** Decoded, without dot segments, below the target's address. */
  readonly path: string
  /** OpenAPI operationId, GraphQL operation (`query`, `query.NAME`), JSON-RPC method. */
  readonly operations?: readonly string[]
  /** MCP tools it calls. */
  readonly tools?: readonly string[]
  /** Fields it sends or asks for, as dotted paths without array indexes. */
  readonly fields?: readonly string[]
}

/** Stands for the parts of a program, an argument or a path that are only known when they run. Where it was written, it is not known either. */
export const unknownText = '\ufffd'

export type StatementKind = 'connect' | 'query' | 'command' | 'shell' | 'file' | 'tunnel' | 'request'

/** The smallest thing that can be held back: one query, one exec, one request. Connecting is one too. */
export interface Statement {
  /** 1, 2, 3 ... within its session. 0 is the connect statement. */
  readonly id: number
  readonly kind: StatementKind
  /** What a reviewer reads. Passwords inside it are already covered. */
  readonly text: string
  /** Bound values as text, in order; null is SQL NULL. */
  readonly parameters: readonly (string | null)[]
  /** The same array for the same understanding, so that a verdict can be remembered by it. */
  readonly effects: readonly Effect[]
  /** false: already running when seen (a line typed into a terminal). */
  readonly held: boolean
  /** Claimed by the caller, not proved (a `traceparent`). */
  readonly provenance?: string
}
