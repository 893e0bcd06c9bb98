// One command that went to the target, and how far its response has come (MySQL Internals, "Text Protocol", "Prepared Statements").

import { Malformed } from '@sallyport/core'
import type { Step } from '@sallyport/wire'
import { readColumn } from './columns.js'
import { errorPayload, readEof, readError, readOk, reply, serverStatus } from './packets.js'
import { Body } from './packets.js'
import type { Answer, Question } from './question.js'
import { coveredText } from './wording.js'

export type Steps = Step<Question>[]

/** What a running statement has brought so far. */
export interface Run {
  readonly statement: number
  /** Rows sent to the client. */
  sent: number
  /** Rows as the server counted those it changed. */
  counted: number
  bytes: number
  rowsUpTo: number
  error?: string
}

export interface Prepared {
  readonly id: number
  readonly parameters: number
}

/** `single`: one packet, whatever it says. `rows`: more rows of an open cursor. */
export type Kind = 'single' | 'result' | 'prepare' | 'rows' | 'reset' | 'pin'

type State = 'head' | 'columns' | 'columns-end' | 'rows' | 'over'

/** A result of 4096 columns is the server's own limit (sql/sql_const.h, MAX_FIELDS); a prepared statement counts up to 65,535 of each. */
const maxColumns = 65_535
const lastRowSent = 0x80
/** Errors whose texts quote names of the statement, not values: unknown or ambiguous column, unknown table, function or database. */
const namesOnly = new Set([1049, 1052, 1054, 1146, 1305])

export class Exchange {
  readonly kind: Kind
  readonly answer: Answer | undefined
  readonly run: Run | undefined
  prepared: Prepared | undefined
  /** The statement has rows waiting at the server (COM_STMT_FETCH). */
  cursor = false
  /** Status flags of the last OK or EOF. */
  status: number | undefined
  /** The target answered with an error. */
  failed = false
  readonly #asksCursor: boolean
  #state: State
  #left = 0
  /** A prepare describes its parameters first, then its columns. */
  #thenColumns = 0
  /** These rows are OUT parameters, and an OK follows: MySQL's EOF after them does not say so (protocol_classic.cc, send_parameters). */
  #thenOk = false

  /** `asksCursor`: only then does the status flag tell of a cursor of the client's; a routine's own cursors show in it too. */
  constructor(kind: Kind, answer?: Answer, run?: Run, asksCursor = kind === 'rows') {
    this.kind = kind
    this.#asksCursor = asksCursor
    this.answer = answer
    this.run = run
    this.#state = kind === 'rows' ? 'rows' : 'head'
  }

  get over(): boolean {
    return this.#state === 'over'
  }

  get inRows(): boolean {
    return this.#state === 'rows'
  }

  /** A packet that is not a row; returns what the client is to see of it. */
  control(payload: Buffer, deprecateEof: boolean): Buffer {
    if (payload[0] === reply.error && this.#state !== 'columns') return this.#error(payload)
    switch (this.#state) {
      case 'head':
        return this.#head(payload)
      case 'columns':
        return this.#column(payload, deprecateEof)
      case 'columns-end':
        return this.#columnsEnd(payload)
      case 'rows':
        return this.#end(payload, deprecateEof)
      case 'over':
        throw new Malformed('upstream', 'unexpected-packet', 'the target goes on after its response was over')
    }
  }

  #head(payload: Buffer): Buffer {
    if (this.kind === 'single') return this.#single(payload)
    if (payload[0] === reply.localInfile)
      throw new Malformed('upstream', 'local-infile', 'the target asked for a file of the client; nothing of it is sent')
    if (payload[0] === reply.ok) return this.kind === 'prepare' ? this.#prepareOk(payload) : this.#ok(payload)
    if (this.kind !== 'result')
      throw new Malformed('upstream', 'unexpected-packet', 'a response begins with a packet that does not fit what was asked')
    const body = new Body(payload, 'upstream')
    this.#left = body.lenenc()
    if (this.#left === 0 || this.#left > maxColumns || body.left > 0)
      throw new Malformed('upstream', 'malformed-packet', 'a result has an impossible number of columns')
    this.#state = 'columns'
    return payload
  }

  #single(payload: Buffer): Buffer {
    this.#state = 'over'
    if (payload[0] === reply.ok && payload.length >= 7) this.#count(readOk(payload))
    return payload
  }

  #ok(payload: Buffer): Buffer {
    const { affected, status } = readOk(payload)
    this.#count({ affected, status })
    this.#state = (status & serverStatus.moreResults) === 0 ? 'over' : 'head'
    return payload
  }

  #count({ affected, status }: { affected: number; status: number }): void {
    this.status = status
    if (this.run !== undefined) this.run.counted += affected
  }

  #prepareOk(payload: Buffer): Buffer {
    const body = new Body(payload, 'upstream', 1)
    const id = body.uint(4)
    const columns = body.uint(2)
    const parameters = body.uint(2)
    this.prepared = { id, parameters }
    this.#left = parameters > 0 ? parameters : columns
    this.#thenColumns = parameters > 0 ? columns : 0
    this.#state = this.#left > 0 ? 'columns' : 'over'
    return payload
  }

  #column(payload: Buffer, deprecateEof: boolean): Buffer {
    const forbidden = this.answer?.forbiddenOrigins ?? []
    if (forbidden.length > 0 && this.kind === 'result') refuseOrigin(payload, forbidden)
    this.#left -= 1
    if (this.#left === 0) {
      if (!deprecateEof) this.#state = 'columns-end'
      else this.#columnsDone()
    }
    return payload
  }

  #columnsDone(): void {
    if (this.kind !== 'prepare') {
      this.#state = 'rows'
      return
    }
    this.#left = this.#thenColumns
    this.#thenColumns = 0
    this.#state = this.#left > 0 ? 'columns' : 'over'
  }

  #columnsEnd(payload: Buffer): Buffer {
    if (payload[0] !== reply.end || payload.length >= 9)
      throw new Malformed('upstream', 'malformed-packet', 'columns do not end with EOF')
    this.#columnsDone()
    const { status } = readEof(payload)
    this.#thenOk = (status & serverStatus.outParameters) !== 0
    // An open cursor sends no rows until it is asked for them.
    if (this.#asksCursor && (status & serverStatus.cursorExists) !== 0) this.#finish(status)
    return payload
  }

  #end(payload: Buffer, deprecateEof: boolean): Buffer {
    this.#finish(deprecateEof && payload.length >= 7 ? readOk(payload).status : readEof(payload).status)
    return payload
  }

  #finish(status: number): void {
    this.status = status
    const open = (status & serverStatus.cursorExists) !== 0 && (status & lastRowSent) === 0
    this.cursor = open && this.#asksCursor
    const more = this.#thenOk || (status & serverStatus.moreResults) !== 0
    this.#thenOk = false
    this.#state = more && !this.cursor ? 'head' : 'over'
  }

  #error(payload: Buffer): Buffer {
    this.#state = 'over'
    this.failed = true
    const said = readError(payload)
    const covers = this.answer?.covers === true && !namesOnly.has(said.code)
    const words = covers ? { ...said, message: coveredText } : said
    if (this.run !== undefined) this.run.error ??= `${words.code} ${words.message}`
    return covers ? errorPayload(words) : payload
  }
}

export function outcomeOf(run: Run): Step<Question> {
  const outcome = { statement: run.statement, rows: run.sent + run.counted, bytes: run.bytes }
  return { kind: 'outcome', outcome: run.error === undefined ? outcome : { ...outcome, error: run.error } }
}

/** The parser and the server disagree about where a column comes from: nothing of it may be shown. */
function refuseOrigin(payload: Buffer, forbidden: readonly string[]): void {
  const { schema, originTable, originName, name } = readColumn(payload)
  if (!forbidden.includes(`${schema}.${originTable}.${originName}`.toLowerCase())) return
  throw new Malformed('upstream', 'unmasked-column', `result column ${name} would show a masked column`)
}
