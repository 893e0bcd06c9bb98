// From a held message to its ruling: what does the text mean (packages/sql), what does the session say (policy, people, record), and what
// text goes on. Answers at once where everything is remembered.

import { isKnownError } from '@sallyport/core'
import type { Asking, Mask, ReviewNotice, Ruling, Salts, Session, Settled, Statement, Traced } from '@sallyport/core'
import { masksKeyOf, onlyReads, saltFor, writtenBack } from '@sallyport/sql'
import type { Freshness, Rewriting, SqlContext, SqlReader, Understanding } from '@sallyport/sql'
import type { StatementEnd } from '@sallyport/wire'
import type { Catalogue, Catalogues } from './catalogues.js'
import type { SqlText } from './messages.js'
import { readableValues } from './parameters.js'
import { meaning, opaque, unknownMeaning } from './meaning.js'
import type { Meaning, Meant } from './meaning.js'
import { MadeNames } from './prepared.js'
import type { Answer, Question } from './question.js'
import { SearchPath } from './search-path.js'
import { wordStatementDenial } from './wording.js'
import type { PostgresWire } from './wire.js'

export interface JudgingParts {
  readonly session: Session
  readonly sql: SqlReader
  readonly catalogues: Catalogues
  readonly wire: PostgresWire
  readonly salts: Salts
  readonly notice: (notice: ReviewNotice) => void
}

interface Live {
  readonly startedAtMs: number
  readonly statement: Statement
  readonly understanding: Understanding
  readonly asking: Asking
}

export class Judging {
  readonly #parts: JudgingParts
  readonly #made = new MadeNames()
  readonly #live = new Map<number, Live>()
  #next = 1
  readonly #searchPath: SearchPath
  #patience = new AbortController()
  #schemaChangeOpen = false

  constructor(parts: JudgingParts) {
    this.#parts = parts
    this.#searchPath = new SearchPath(parts.session.target.trust.functions)
  }

  ask(question: Question): Settled<Answer> {
    switch (question.form) {
      case 'query':
        return this.#meant(question.sql, (meant) => this.#judge(meant, question.sql, []))
      case 'parse':
        return this.#meant(question.sql, (meant) => this.#judge(meant, question.sql, [], 'prepare'))
      case 'execute':
        return this.#execute(question)
      case 'fetch':
        return this.#judge(this.#fetched(question.portal), undefined, [])
      case 'function-call':
        return this.#judge({ ...opaque('FunctionCall message', 'call'), refusal: functionCallRefusal }, undefined, [])
      case 'rows':
        return this.#rows(question.statement, question.rows)
    }
  }

  /** The client cancelled or went away: a statement that waits for people is withdrawn. */
  withdraw(): void {
    this.#patience.abort()
    this.#patience = new AbortController()
  }

  ended(end: StatementEnd): void {
    const { session, catalogues, wire } = this.#parts
    const live = this.#live.get(end.statement)
    this.#live.delete(end.statement)
    session.outcome({ ...end, durationMs: live === undefined ? 0 : performance.now() - live.startedAtMs })
    if (live === undefined) return
    const { understanding } = live
    if (understanding.changesCatalog) {
      catalogues.markStale(session)
      this.#schemaChangeOpen = true
    } else this.#noteTransactionEnd()
    if (end.error !== undefined) {
      if (understanding.onlyPrepares) this.#made.unlearn(understanding)
      return
    }
    this.#made.deallocated(understanding.deallocates)
    wire.deallocated(understanding.deallocates)
  }

  // ---- understanding ----

  #meant(sql: SqlText, then: (meant: Meant) => Settled<Answer>): Settled<Answer> {
    const understanding = this.#understand(sql)
    return understanding instanceof Promise
      ? understanding.then((later) => then(this.#named(later, sql)))
      : then(this.#named(understanding, sql))
  }

  /** What a transaction changed can be read by others only when it has ended. */
  #noteTransactionEnd(): void {
    if (!this.#schemaChangeOpen || this.#parts.wire.transactionStatus !== 'I') return
    this.#parts.catalogues.markStale(this.#parts.session)
    this.#schemaChangeOpen = false
  }

  #understand(sql: SqlText): Settled<Understanding> {
    const { session } = this.#parts
    this.#noteTransactionEnd()
    return this.#withCatalogue(session.mayRule ? 'fresh' : 'any', (context) => {
      const understanding = this.#parts.sql.understand(sql.text, context)
      return understanding instanceof Promise
        ? understanding.then((later) => this.#knownNames(sql, later))
        : this.#knownNames(sql, understanding)
    })
  }

  /** A name that is not in the catalogue may be new: look once more before judging it. */
  #knownNames(sql: SqlText, understanding: Understanding): Settled<Understanding> {
    const unknownName = understanding.effects.some((effect) => effect.object.startsWith('?.'))
    if (!unknownName || !this.#parts.session.mayRule) return understanding
    return this.#withCatalogue('unknown-name', (context) => this.#parts.sql.understand(sql.text, context))
  }

  #withCatalogue(freshness: Freshness, then: (context: SqlContext) => Settled<Understanding>): Settled<Understanding> {
    const { session, catalogues } = this.#parts
    const contextOf = (catalogue: Catalogue): SqlContext =>
      this.#searchPath.contextOf(catalogue, this.#parts.wire.reported.get('search_path'))
    const found = catalogues.of(session, freshness)
    if (!(found instanceof Promise)) return then(contextOf(found))
    return found.then(
      (catalogue) => then(contextOf(catalogue)),
      (error: unknown) => {
        if (!isKnownError(error)) throw error
        session.mark('catalogue', error.message)
        return opaque(`[not understood: ${error.message}]`, 'query').understanding
      },
    )
  }

  /** Adds what the names in the text run: prepared by SQL or by message, cursors and portals. */
  #named(understanding: Understanding, sql: SqlText): Meant {
    const refusal =
      sql.fault ??
      understanding.refusal ??
      (this.#made.full ? 'too many prepared statements and cursors in one session' : undefined)
    const base = { understanding, effects: understanding.effects, runs: [], ...(refusal === undefined ? {} : { refusal }) }
    if (understanding.executes.length === 0 && understanding.fetches.length === 0) return base
    const runs = [
      ...understanding.executes.flatMap((name) => this.#preparedAs(name)),
      ...understanding.fetches.flatMap((name) => this.#openAs(name)),
    ]
    return { ...base, effects: [...understanding.effects, ...runs.flatMap((run) => run.effects)], runs }
  }

  #preparedAs(name: string): readonly Meaning[] {
    const byMessage = this.#parts.wire.preparedAs(latin1(name)).map(({ sql, answer }) => this.#meaningNow(sql, answer))
    const all = [...this.#made.prepared(name), ...byMessage]
    return all.length > 0 ? all : [unknownMeaning('execute', name)]
  }

  #openAs(name: string): readonly Meaning[] {
    const portals = this.#parts.wire.boundAs(latin1(name)).flatMap(({ definition, statementName }) => {
      return definition === undefined ? this.#preparedAs(statementName) : [this.#meaningNow(definition.sql, definition.answer)]
    })
    const all = [...this.#made.cursor(name), ...portals]
    return all.length > 0 ? all : [unknownMeaning('fetch', name)]
  }

  /** What a prepared text means under today's schemas; where that takes a parser, it counts as unknown. */
  #meaningNow(sql: SqlText, answer: Answer): Meaning {
    const understanding = this.#understand(sql)
    if (understanding instanceof Promise) return unknownMeaning('execute', sql.text.slice(0, 60))
    return { effects: understanding.effects, text: understanding.text, masksKey: answer.masksKey }
  }

  // ---- judging ----

  #execute(question: Question & { form: 'execute' }): Settled<Answer> {
    const { definition, statementName, values, formats } = question
    const parameters = readableValues(values, formats, definition?.types ?? [])
    const made = this.#made.prepared(statementName)
    if (definition === undefined) {
      const runs = made.length > 0 ? made : [unknownMeaning('execute', statementName)]
      return this.#judge(meaning(runs), undefined, parameters)
    }
    return this.#meant(definition.sql, (meant) => {
      const itself: Meaning = {
        effects: meant.understanding.effects,
        text: meant.understanding.text,
        masksKey: definition.answer.masksKey,
      }
      const ambiguous =
        made.length > 0 ? { refusal: `the statement name ${statementName} was prepared twice, by message and by SQL` } : {}
      return this.#judge({ ...meant, runs: [...meant.runs, itself], ...ambiguous }, undefined, parameters)
    })
  }

  #fetched(portal: string): Meant {
    return meaning(this.#openAs(portal))
  }

  /** `sql`: the text that goes on and may be rewritten; absent where an earlier text runs. */
  #judge(
    meant: Meant,
    sql: SqlText | undefined,
    parameters: readonly (string | null)[],
    phase: 'prepare' | 'run' = 'run',
  ): Settled<Answer> {
    const { session } = this.#parts
    const { understanding, effects } = meant
    const statement: Statement = { id: this.#next, kind: 'query', text: understanding.text, parameters, effects, held: true }
    let rewriting: Rewriting | undefined
    const trace = (masks: readonly Mask[]): Settled<Traced> => {
      const traced = this.#trace(meant, sql, masks)
      const keep = ({ result, found }: Tracing): Traced => {
        rewriting = found
        return result
      }
      return traced instanceof Promise ? traced.then(keep) : keep(traced)
    }
    const refusal = meant.refusal ?? writtenBack(effects, understanding.text, parameters)
    const asking: Asking = {
      phase,
      trace,
      signal: this.#patience.signal,
      onWait: this.#parts.notice,
      ...(refusal === undefined ? {} : { refusal }),
    }
    const finish = (ruling: Ruling): Answer => this.#answer(statement, ruling, meant, rewriting, asking)
    const ruling = session.judge(statement, asking)
    return ruling instanceof Promise ? ruling.then(finish) : finish(ruling)
  }

  #answer(statement: Statement, ruling: Ruling, meant: Meant, rewriting: Rewriting | undefined, asking: Asking): Answer {
    const { session } = this.#parts
    const { understanding, effects } = meant
    // Asked again for more rows, it has its number; only prepared, it has one where it is denied.
    const onRecord = asking.rows === undefined && (asking.phase === 'run' || ruling.kind === 'deny')
    if (onRecord) this.#next += 1
    const masks = ruling.kind === 'mask' ? ruling.masks : []
    if (ruling.kind !== 'deny') {
      this.#searchPath.add(understanding.addsSchemas)
      this.#made.learn(understanding, masks)
      if (onRecord) this.#live.set(statement.id, { startedAtMs: performance.now(), statement, understanding, asking })
    }
    return {
      statement: onRecord ? statement.id : 0,
      ruling,
      cover: ruling.kind === 'mask' ? 'everything' : session.mayMask && !effects.every(onlyReads) ? 'details' : 'nothing',
      forbiddenOrigins: rewriting === undefined || rewriting.kind === 'untraceable' ? [] : rewriting.forbiddenOrigins,
      mayCopyIn: understanding.copiesIn || !understanding.understood,
      masksKey: masksKeyOf(masks, effects),
      ...(ruling.kind === 'deny' ? { words: wordStatementDenial(ruling, session.id, statement.id) } : {}),
      ...(rewriting?.kind === 'rewritten' ? { text: rewriting.text } : {}),
    }
  }

  #rows(id: number, rows: number): Settled<Answer> {
    const live = this.#live.get(id)
    if (live === undefined) throw new Error(`statement ${id} is not running`)
    const { statement, understanding } = live
    const asking: Asking = { ...live.asking, signal: this.#patience.signal, rows, trace: () => ({ kind: 'traced' }) }
    const meant: Meant = { understanding, effects: statement.effects, runs: [] }
    const finish = (ruling: Ruling): Answer => {
      return { ...this.#answer(statement, ruling, meant, undefined, asking), statement: id }
    }
    const ruling = this.#parts.session.judge(statement, asking)
    return ruling instanceof Promise ? ruling.then(finish) : finish(ruling)
  }

  // ---- masking ----

  #trace(meant: Meant, sql: SqlText | undefined, masks: readonly Mask[]): Settled<Tracing> {
    const stale = meant.runs.find((run) => masksKeyOf(masks, run.effects) !== run.masksKey)
    if (stale !== undefined)
      return { result: { kind: 'untraceable', reason: 'it was prepared under other masks; prepare it again' }, found: undefined }
    const { context } = this.#searchPath
    if (sql === undefined || context === undefined) return { result: { kind: 'traced' }, found: undefined }
    const salt = saltFor(masks, this.#parts.salts)
    const found = this.#parts.sql.mask(sql.text, context, masks, salt)
    return found instanceof Promise ? found.then((later) => tracing(later, salt)) : tracing(found, salt)
  }
}

interface Tracing {
  readonly result: Traced
  readonly found: Rewriting | undefined
}

/** What is recorded does not have the salt: whoever reads the record could try values until they hash alike. */
function tracing(found: Rewriting, salt: string): Tracing {
  if (found.kind === 'untraceable') return { result: { kind: 'untraceable', reason: found.reason }, found }
  if (found.kind !== 'rewritten') return { result: { kind: 'traced' }, found }
  return { result: { kind: 'traced', forwarded: salt === '' ? found.text : found.text.replaceAll(salt, 'salt') }, found }
}

const functionCallRefusal =
  'FunctionCall messages run functions without SQL text and are not let through; call the function in a query'

/** Names in messages are kept as latin1, so that bytes that are not UTF-8 stay apart; SQL's names come as text. */
const latin1 = (name: string): string => Buffer.from(name, 'utf8').toString('latin1')
