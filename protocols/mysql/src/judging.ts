// From a held command to its ruling: what does the text mean (packages/sql), what does the session say (policy, people, record), and what text goes
// on. Answers at once where the catalogue is known.

import { isKnownError } from '@sallyport/core'
import type { Asking, Effect, Mask, ReviewNotice, Ruling, Salts, Session, Settled, Statement, Traced } from '@sallyport/core'
import { masksKeyOf, mysqlNotUnderstood, onlyReads, saltFor, writtenBack } from '@sallyport/sql'
import type { Freshness, MysqlCatalog, MysqlContext, MysqlReader, MysqlUnderstanding, Rewriting } from '@sallyport/sql'
import type { StatementEnd } from '@sallyport/wire'
import type { Catalogues } from './catalogues.js'
import type { Answer, Definition, Question } from './question.js'
import { wordStatementDenial } from './wording.js'

export interface JudgingParts {
  readonly session: Session
  readonly reader: MysqlReader
  readonly catalogues: Catalogues
  readonly salts: Salts
  readonly kill: (id: number, what: 'query' | 'connection') => boolean
  /** How often the client reset its session. */
  readonly resets: () => number
  readonly notice: (notice: ReviewNotice) => void
}

/** What a name prepared by SQL runs. */
interface Named {
  readonly effects: readonly Effect[]
  readonly text: string
  readonly diagnostics: boolean
}

/** A statement as it will be judged. */
interface Meant {
  readonly understanding: MysqlUnderstanding
  readonly effects: readonly Effect[]
  readonly text: string
  readonly refusal?: string | undefined
}

interface Live {
  readonly startedAtMs: number
  readonly statement: Statement
  readonly understanding: MysqlUnderstanding
  readonly asking: Asking
  readonly covers: boolean
}

/** The server's default limit (max_prepared_stmt_count). */
const maxNames = 16_382
const maxTemporaries = 10_000

export class Judging {
  readonly #parts: JudgingParts
  readonly #live = new Map<number, Live>()
  readonly #prepared = new Map<string, Named>()
  #temporaries: ReadonlySet<string> = new Set()
  #next = 1
  #database: string
  #context: MysqlContext | undefined
  /** What prepared texts meant when they ran last: the same, as long as they would be read in the same context. */
  readonly #meantBefore = new WeakMap<Definition, { readonly context: MysqlContext; readonly meant: Meant }>()
  #patience = new AbortController()
  #resetsSeen = 0
  /** The server may still hold messages of a statement whose errors were covered: SHOW WARNINGS must not show them. */
  #coversMessages = false

  constructor(parts: JudgingParts) {
    this.#parts = parts
    this.#database = parts.session.target.database ?? ''
  }

  ask(question: Question): Settled<Answer> {
    this.#noticeReset()
    switch (question.form) {
      case 'query':
        return this.#withMeaning(question.sql, this.#database, (meant) => this.#judge(meant, question.sql, [], 'run'))
      case 'prepare':
        return this.#withMeaning(question.sql, this.#database, (meant) =>
          this.#judge(preparable(meant), question.sql, [], 'prepare'),
        )
      case 'execute':
        return this.#execute(question.definition, question.values)
      case 'init-db': {
        const understanding: MysqlUnderstanding = {
          ...mysqlNotUnderstood(''),
          effects: [],
          understood: true,
          unsettles: false,
          changesCatalog: false,
          use: question.name,
        }
        return this.#judge({ understanding, effects: [], text: `USE ${question.name}` }, undefined, [], 'run')
      }
      case 'command': {
        const understanding = { ...mysqlNotUnderstood(''), text: question.name }
        const refusal = `${question.name} is not let through; what it does can be asked for in SQL`
        return this.#judge({ understanding, effects: understanding.effects, text: question.name, refusal }, undefined, [], 'run')
      }
      case 'rows':
        return this.#rows(question.statement, question.rows)
    }
  }

  /** The client cancelled or went away: a statement that waits for people is withdrawn. */
  withdraw(): void {
    this.#patience.abort()
    this.#patience = new AbortController()
  }

  get database(): string {
    return this.#database
  }

  ended(end: StatementEnd): void {
    const { session, catalogues } = this.#parts
    const live = this.#live.get(end.statement)
    this.#live.delete(end.statement)
    session.outcome({ ...end, durationMs: live === undefined ? 0 : performance.now() - live.startedAtMs })
    if (live === undefined) return
    const { understanding } = live
    if (live.covers) this.#coversMessages = true
    else if (end.error === undefined && dropsMessages(understanding)) this.#coversMessages = false
    // A text of several statements may have changed something before it failed.
    if (understanding.changesCatalog) catalogues.markStale(session)
    if (end.error !== undefined) return
    if (understanding.use !== undefined) this.#database = understanding.use
    if (live.statement.effects.some((effect) => dropsDatabase(effect, this.#database))) this.#database = ''
    for (const name of understanding.deallocates) this.#prepared.delete(name)
    for (const { name, ...named } of understanding.prepares) this.#prepared.set(name, named)
    if (understanding.makesTemporary.length > 0)
      this.#temporaries = new Set([...this.#temporaries, ...understanding.makesTemporary])
  }

  #noticeReset(): void {
    const resets = this.#parts.resets()
    if (resets === this.#resetsSeen) return
    this.#resetsSeen = resets
    this.#prepared.clear()
    this.#temporaries = new Set()
  }

  // ---- understanding ----

  #withMeaning(sql: Buffer, database: string, then: (meant: Meant) => Settled<Answer>): Settled<Answer> {
    const bytes = sql.toString('latin1')
    const found = this.#understand(bytes, database)
    return found instanceof Promise ? found.then((later) => then(this.#meant(later))) : then(this.#meant(found))
  }

  #understand(bytes: string, database: string): Settled<MysqlUnderstanding> {
    const { session, reader } = this.#parts
    return this.#withCatalogue(session.mayRule ? 'fresh' : 'any', database, (context) => {
      const found = reader.understand(bytes, context)
      return found instanceof Promise
        ? found.then((later) => this.#knownNames(bytes, database, later))
        : this.#knownNames(bytes, database, found)
    })
  }

  /** A name that is not in the catalogue may be new: look once more before judging it. */
  #knownNames(bytes: string, database: string, understanding: MysqlUnderstanding): Settled<MysqlUnderstanding> {
    const { session, reader } = this.#parts
    const unknownName = understanding.effects.some((effect) => effect.access === 'unknown' && effect.object !== '')
    if (!unknownName || !session.mayRule) return understanding
    return this.#withCatalogue('unknown-name', database, (fresh) => reader.understand(bytes, fresh))
  }

  #withCatalogue(
    freshness: Freshness,
    database: string,
    then: (context: MysqlContext) => Settled<MysqlUnderstanding>,
  ): Settled<MysqlUnderstanding> {
    const { session, catalogues } = this.#parts
    const found = catalogues.of(session, freshness)
    if (!(found instanceof Promise)) return then(this.#contextOf(found, database))
    return found.then(
      (catalogue) => then(this.#contextOf(catalogue, database)),
      (error: unknown) => {
        if (!isKnownError(error)) throw error
        session.mark('catalogue', error.message)
        return { ...mysqlNotUnderstood(''), text: `[not understood: ${error.message}]` }
      },
    )
  }

  #contextOf(catalog: MysqlCatalog, database: string): MysqlContext {
    const known = this.#context
    if (known !== undefined && known.catalog === catalog && known.database === database && known.temporaries === this.#temporaries)
      return known
    const { trust } = this.#parts.session.target
    this.#context = { catalog, database, temporaries: this.#temporaries, trustedFunctions: trust.functions }
    return this.#context
  }

  /** Adds what the names in the text run, and what it may not do here. */
  #meant(understanding: MysqlUnderstanding): Meant {
    const { effects, executes, text } = understanding
    const runs = executes.map(
      (name): Named => this.#prepared.get(name) ?? { effects: [unknownEffect(name)], text: `EXECUTE ${name}`, diagnostics: true },
    )
    const diagnostics = understanding.diagnostics || runs.some((run) => run.diagnostics)
    const refusal = understanding.refusal ?? this.#fault(understanding, diagnostics)
    if (runs.length === 0) return { understanding, effects, text, refusal }
    return {
      understanding,
      text: `${text} -- ${runs.map((run) => run.text).join('; ')}`,
      effects: [...effects, ...runs.flatMap((run) => run.effects)],
      refusal,
    }
  }

  #fault(understanding: MysqlUnderstanding, diagnostics: boolean): string | undefined {
    if (!understanding.isReadable)
      return 'the text is not valid UTF-8 outside of its strings, or prepares one that is not; send binary values as parameters'
    if (diagnostics && this.#coversMessages)
      return 'the messages that the target still holds are covered, because they may be of a statement that touched masked columns'
    if (diagnostics && this.#parts.session.mayMask && understanding.effects.length > 0)
      return 'SHOW WARNINGS and GET DIAGNOSTICS must be sent alone where columns are masked'
    if (this.#prepared.size >= maxNames) return 'too many statements prepared by SQL in one session'
    if (this.#temporaries.size >= maxTemporaries) return 'too many temporary tables in one session'
    return undefined
  }

  // ---- judging ----

  #execute(definition: Definition, values: readonly (string | null)[]): Settled<Answer> {
    const { answer, sql } = definition
    const run = (meant: Meant): Settled<Answer> => {
      const trace = (masks: readonly Mask[]): Traced =>
        masksKeyOf(masks, meant.effects) === answer.masksKey
          ? { kind: 'traced' }
          : { kind: 'untraceable', reason: 'it was prepared under other masks; prepare it again' }
      return this.#judge(meant, undefined, values, 'run', trace)
    }
    const known = this.#meantBefore.get(definition)
    if (known !== undefined && known.context === this.#contextNow(answer.database)) return run(known.meant)
    return this.#withMeaning(sql, answer.database, (meant) => {
      const { executes, diagnostics } = meant.understanding
      if (this.#context !== undefined && meant.refusal === undefined && executes.length === 0 && !diagnostics)
        this.#meantBefore.set(definition, { context: this.#context, meant })
      return run(meant)
    })
  }

  /** The context a text would be read in at this moment; undefined where the catalogue must be read first. */
  #contextNow(database: string): MysqlContext | undefined {
    const { session, catalogues } = this.#parts
    const found = catalogues.of(session, session.mayRule ? 'fresh' : 'any')
    return found instanceof Promise ? undefined : this.#contextOf(found, database)
  }

  /** `sql`: the text that goes on and may be rewritten; absent where an earlier text runs. */
  #judge(
    meant: Meant,
    sql: Buffer | undefined,
    parameters: readonly (string | null)[],
    phase: 'prepare' | 'run',
    traced?: (masks: readonly Mask[]) => Traced,
  ): Settled<Answer> {
    const { session } = this.#parts
    const { effects, text } = meant
    const statement: Statement = { id: this.#next, kind: 'query', text, parameters, effects, held: true }
    let rewriting: Rewriting | undefined
    const traceOf = (found: Rewriting): Traced => {
      rewriting = found
      if (found.kind === 'untraceable') return { kind: 'untraceable', reason: found.reason }
      return found.kind === 'rewritten' ? { kind: 'traced', forwarded: this.#saltless(decoded(found.text)) } : { kind: 'traced' }
    }
    const trace = (masks: readonly Mask[]): Settled<Traced> => {
      const found = this.#trace(meant, sql, masks)
      return found instanceof Promise ? found.then(traceOf) : traceOf(found)
    }
    const refusal = meant.refusal ?? writtenBack(effects, text, parameters)
    const asking: Asking = {
      phase,
      trace: traced ?? trace,
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
    const onRecord = asking.phase === 'run' || ruling.kind === 'deny'
    if (onRecord) this.#next += 1
    const masks = ruling.kind === 'mask' ? ruling.masks : []
    // Where masks exist, what a write complains of may quote the row it met.
    const covers = ruling.kind === 'mask' || (session.mayMask && !effects.every(onlyReads))
    if (ruling.kind !== 'deny' && onRecord)
      this.#live.set(statement.id, { startedAtMs: performance.now(), statement, understanding, asking, covers })
    const text = rewriting?.kind === 'rewritten' ? rewriting.text : understanding.canonical
    const base = {
      statement: onRecord ? statement.id : 0,
      covers,
      forbiddenOrigins: rewriting === undefined || rewriting.kind === 'untraceable' ? [] : rewriting.forbiddenOrigins,
      masksKey: masksKeyOf(masks, effects),
      database: this.#database,
      unsettles: understanding.unsettles,
    }
    if (ruling.kind === 'deny') return { ...base, ruling, words: wordStatementDenial(ruling, session.id, statement.id) }
    if (understanding.kills !== undefined) return this.#killed(understanding.kills, ruling, base)
    return { ...base, ruling, ...(text === undefined ? {} : { text: Buffer.from(text, 'latin1') }) }
  }

  #killed({ id, what }: { id: number; what: 'query' | 'connection' }, ruling: Ruling, base: Omit<Answer, 'ruling'>): Answer {
    if (this.#parts.kill(id, what)) return { ...base, ruling, done: true }
    return { ...base, ruling, done: true, words: { code: 1094, state: 'HY000', message: `Unknown thread id: ${id}` } }
  }

  #rows(id: number, rows: number): Settled<Answer> {
    const live = this.#live.get(id)
    if (live === undefined) throw new Error(`statement ${id} is not running`)
    const { statement, understanding } = live
    const asking: Asking = { ...live.asking, signal: this.#patience.signal, rows, trace: () => ({ kind: 'traced' }) }
    const meant: Meant = { understanding, effects: statement.effects, text: statement.text }
    const finish = (ruling: Ruling): Answer => {
      const { words, ...answer } = this.#answer(statement, ruling, meant, undefined, { ...asking, phase: 'prepare' })
      if (ruling.kind === 'deny') this.#next -= 1
      return { ...answer, statement: id, ...(words === undefined ? {} : { words }) }
    }
    const ruling = this.#parts.session.judge(statement, asking)
    return ruling instanceof Promise ? ruling.then(finish) : finish(ruling)
  }

  // ---- masking ----

  /** For the record: whoever reads it with the salt could try values until they hash alike. */
  #saltless(text: string): string {
    const { hash, token } = this.#parts.salts
    return text.replaceAll(token, 'salt').replaceAll(hash, 'salt')
  }

  #trace(meant: Meant, sql: Buffer | undefined, masks: readonly Mask[]): Settled<Rewriting> {
    const { salts, reader } = this.#parts
    if (sql === undefined || this.#context === undefined) return { kind: 'untraceable', reason: 'there is no text to mask' }
    if (meant.understanding.executes.length > 0)
      return { kind: 'untraceable', reason: 'what EXECUTE runs cannot be masked; send it as a statement' }
    return reader.mask(meant.understanding.canonical ?? sql.toString('latin1'), this.#context, masks, saltFor(masks, salts))
  }
}

/** A session whose database is dropped is in none. */
function dropsDatabase({ verb, object }: Effect, database: string): boolean {
  return verb === 'drop' && object.toLowerCase() === `${database}.*`.toLowerCase()
}

/** A KILL is done here, since its ids are ours: prepared, it would go to the target with whatever id it names there. */
function preparable(meant: Meant): Meant {
  if (meant.understanding.kills === undefined) return meant
  return { ...meant, refusal: 'KILL cannot be prepared; send it as a statement' }
}

/** MariaDB keeps its messages until a statement names a table (sql_parse.cc, mysql_execute_command); to prepare one is not to run it. */
function dropsMessages({ effects, prepares, understood }: MysqlUnderstanding): boolean {
  return understood && prepares.length === 0 && effects.some(({ verb }) => tableVerbs.has(verb))
}

const tableVerbs = new Set(['select', 'insert', 'replace', 'update', 'delete'])
const decoded = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8')
const unknownEffect = (name: string): Effect => ({ access: 'unknown', verb: 'execute', object: name })
