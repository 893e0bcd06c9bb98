// The MySQL machine: commands are held until they are ruled and until the answer to the one before is over. Pure: bytes in, steps out.
//
// MySQL answers strictly in turn, so a denial is answered here, with the number that the target's answer would have had; the target never hears
// of it. Commands that are never answered (CLOSE, SEND_LONG_DATA) are not answered when they are denied either.

import { Malformed } from '@sallyport/core'
import type { Wire } from '@sallyport/wire'
import { nameOf } from './command-names.js'
import { Commands } from './commands.js'
import type { Command } from './commands.js'
import { Exchange, outcomeOf } from './exchange.js'
import type { Kind, Run, Steps } from './exchange.js'
import { command, errorPayload, okPayload, packetCount, packets, serverStatus, uint } from './packets.js'
import type { ErrorWords } from './packets.js'
import { readExecution } from './parameters.js'
import type { Answer, Definition, Question } from './question.js'
import { Responses } from './responses.js'
import { longPackets, longTexts, Statements, withId } from './statements.js'
import type { Statement } from './statements.js'

type Continuation = (answer: Answer, steps: Steps) => void

/** Statements that set what the lexer relies on. */
export interface Pins {
  /** For a session as new: at login and after COM_RESET_CONNECTION. */
  readonly afresh: string
  /** After what could not be read: what the session itself chose stays, as far as the lexer can rely on it. */
  readonly kept: string
}

export interface WireOptions {
  /** How results end: agreed with both ends (CLIENT_DEPRECATE_EOF). */
  readonly deprecateEof: boolean
  readonly pins: Pins
  /** The database the session is in; '' where it is in none. */
  readonly database: () => string
}

export class MysqlWire implements Wire<Question, Answer> {
  readonly #commands = new Commands()
  readonly #responses: Responses
  readonly #statements = new Statements()
  readonly #options: WireOptions
  /** Commands of our own that wait for their turn. */
  #pins: Buffer[] = []
  #exchange: Exchange | undefined
  #fetching: Statement | undefined
  #preparing: Omit<Definition, 'parameters'> | undefined
  #asked: Continuation | undefined
  #heldForCancel = false
  #over = false
  #status: number = serverStatus.autocommit
  #resets = 0
  /** Packets of the newest command. */
  #lastCount = 1
  #newest: Command | undefined

  constructor(options: WireOptions) {
    this.#options = options
    const { deprecateEof } = options
    const finished = (exchange: Exchange, steps: Steps): void => this.#finished(exchange, steps)
    const current = (): Exchange | undefined => this.#exchange
    this.#responses = new Responses({
      get exchange() {
        return current()
      },
      deprecateEof,
      finished,
    })
  }

  get held(): number {
    return this.#commands.held
  }

  get clientHeld(): boolean {
    return this.#asked !== undefined || this.#heldForCancel || this.#exchange !== undefined
  }

  get upstreamHeld(): boolean {
    return this.#responses.stopped
  }

  /** Whether a cancel request would hit something at the server. */
  get running(): boolean {
    return this.#exchange !== undefined
  }

  /** How often the client reset its session: what SQL prepared in it is gone. */
  get resets(): number {
    return this.#resets
  }

  /** The number that a packet of ours would have now: the last words of a session. */
  get nextNumber(): number {
    return this.#exchange === undefined ? this.#lastCount & 0xff : this.#responses.nextNumber
  }

  receive(from: 'client' | 'upstream', chunk: Buffer): Steps {
    const steps: Steps = []
    if (from === 'client') this.#commands.push(chunk)
    else this.#fromUpstream(chunk, steps)
    this.#advance(steps)
    return steps
  }

  rule(answer: Answer): Steps {
    const steps: Steps = []
    const go = this.#asked
    this.#asked = undefined
    go?.(answer, steps)
    if (this.#responses.stopped) this.#fromUpstream(Buffer.alloc(0), steps)
    this.#advance(steps)
    return steps
  }

  hold(): void {
    this.#heldForCancel = true
  }

  release(): Steps {
    this.#heldForCancel = false
    const steps: Steps = []
    this.#advance(steps)
    return steps
  }

  // ---- from the server ----

  #fromUpstream(chunk: Buffer, steps: Steps): void {
    const full = this.#responses.receive(chunk, steps)
    if (full === undefined || this.#asked !== undefined) return
    const run = this.#exchange?.run as Run
    this.#ask({ form: 'rows', ...full }, steps, (answer, out) => {
      if (answer.ruling.kind !== 'deny') run.rowsUpTo = answer.ruling.rowsUpTo ?? Number.POSITIVE_INFINITY
      else {
        const words = wordsOf(answer)
        run.error = `${words.code} ${words.message}`
        out.push({ kind: 'send', to: 'client', bytes: this.#responses.refuse(words) }, { kind: 'cancel' })
      }
    })
  }

  #finished(exchange: Exchange, steps: Steps): void {
    this.#exchange = undefined
    this.#status = exchange.status ?? this.#status
    if (exchange.kind === 'prepare') this.#prepared(exchange)
    if (exchange.kind === 'pin' && exchange.failed)
      throw new Malformed('upstream', 'not-pinned', 'the target did not take the settings of this gateway')
    if (exchange.kind === 'reset' && !exchange.failed) return this.#reset(steps)
    const fetching = this.#fetching
    this.#fetching = undefined
    if (fetching !== undefined) fetching.cursor = exchange.cursor ? exchange.run : undefined
    if (exchange.run !== undefined && !exchange.cursor) steps.push(outcomeOf(exchange.run))
    if (exchange.answer?.unsettles === true && (exchange.kind === 'result' || exchange.kind === 'rows') && !exchange.cursor)
      this.#settle('kept')
    if (this.#pins.length > 0) this.#pin(steps)
  }

  #prepared({ prepared }: Exchange): void {
    const definition = this.#preparing
    this.#preparing = undefined
    if (prepared === undefined || definition === undefined) this.#statements.noLast()
    else this.#statements.add(prepared.id, { ...definition, parameters: prepared.parameters })
  }

  /** The session is as new: what the lexer relies on must be said again before anything else is. */
  #reset(steps: Steps): void {
    for (const { cursor } of this.#statements.clear()) if (cursor !== undefined) steps.push(outcomeOf(cursor))
    this.#resets += 1
    this.#settle('afresh')
    this.#pin(steps)
  }

  #settle(how: keyof Pins): void {
    const { pins, database } = this.#options
    this.#pins = [Buffer.concat([uint(command.query, 1), Buffer.from(pins[how])])]
    if (database() !== '') this.#pins.push(Buffer.concat([uint(command.initDb, 1), Buffer.from(database())]))
  }

  #pin(steps: Steps): void {
    const next = this.#pins.shift()
    if (next !== undefined) this.#send(next, 1, new Exchange('pin'), steps)
  }

  // ---- from the client ----

  #ask(question: Question, steps: Steps, then: Continuation): void {
    steps.push({ kind: 'judge', question })
    this.#asked = then
  }

  #advance(steps: Steps): void {
    while (!this.clientHeld && !this.#over && !this.#responses.stopped) {
      const found = this.#nextAfter(steps)
      if (found === undefined) return
      this.#newest = found
      this.#take(found.payload, found.count, steps)
    }
  }

  /** A fault in what follows must not cost the client the answer to what came before: it is told when there is no such answer any more. */
  #nextAfter(steps: Steps): Command | undefined {
    try {
      return this.#commands.next()
    } catch (error) {
      if (steps.length === 0) throw error
      return undefined
    }
  }

  #take(payload: Buffer, count: number, steps: Steps): void {
    this.#lastCount = count
    switch (payload[0]) {
      case command.quit:
        this.#over = true
        steps.push({ kind: 'send', to: 'upstream', bytes: packets(0, payload) }, { kind: 'end', outcome: 'client quit' })
        return
      case command.ping:
      case command.statistics:
      case command.setOption:
        return this.#send(payload, count, new Exchange('single'), steps)
      case command.resetConnection:
        return this.#send(payload, count, new Exchange('reset'), steps)
      case command.query:
        return this.#query(payload, count, steps)
      case command.initDb:
        return this.#judged({ form: 'init-db', name: payload.toString('utf8', 1) }, payload, count, 'single', steps)
      case command.stmtPrepare:
        return this.#prepare(payload, count, steps)
      case command.stmtExecute:
        return this.#execute(payload, count, steps)
      case command.stmtFetch:
        return this.#fetch(payload, count, steps)
      case command.stmtReset:
        return this.#stmtReset(payload, count, steps)
      case command.stmtClose:
        return this.#close(payload, steps)
      case command.stmtSendLongData:
        return this.#longData(payload)
      case undefined:
      default:
        return this.#ask({ form: 'command', name: nameOf(payload[0]) }, steps, (answer, out) => this.#deny(answer, count, out))
    }
  }

  #query(payload: Buffer, count: number, steps: Steps): void {
    this.#judged({ form: 'query', sql: payload.subarray(1) }, payload, count, 'result', steps)
  }

  #judged(question: Question, payload: Buffer, count: number, kind: Kind, steps: Steps): void {
    this.#ask(question, steps, (answer, out) => {
      if (answer.ruling.kind === 'deny') return this.#deny(answer, count, out)
      if (answer.done === true) return this.#done(answer, count, out)
      const forwarded = answer.text === undefined ? payload : Buffer.concat([payload.subarray(0, 1), answer.text])
      this.#send(forwarded, count, new Exchange(kind, answer, runOf(answer)), out)
    })
  }

  #prepare(payload: Buffer, count: number, steps: Steps): void {
    this.#statements.makeRoom()
    const sql = payload.subarray(1)
    this.#ask({ form: 'prepare', sql }, steps, (answer, out) => {
      if (answer.ruling.kind === 'deny') {
        this.#statements.noLast()
        return this.#deny(answer, count, out)
      }
      this.#preparing = { sql, answer, types: [] }
      const forwarded = answer.text === undefined ? payload : Buffer.concat([payload.subarray(0, 1), answer.text])
      this.#send(forwarded, count, new Exchange('prepare', answer), out)
    })
  }

  #execute(payload: Buffer, count: number, steps: Steps): void {
    const statement = this.#found(payload, 10)
    if (statement === undefined) return this.#unknownStatement(count, steps)
    const { definition } = statement
    const { types, values } = readExecution(payload, definition.parameters, definition.types, longTexts(statement))
    this.#ask({ form: 'execute', definition, values }, steps, (answer, out) => {
      if (answer.ruling.kind === 'deny') {
        this.#statements.forgetLong(statement)
        return this.#deny(answer, count, out)
      }
      this.#endCursor(statement, out)
      // The server keeps the types of what it was sent, and only of that.
      definition.types = types
      for (const bytes of longPackets(statement)) out.push({ kind: 'send', to: 'upstream', bytes })
      this.#statements.forgetLong(statement)
      this.#fetching = statement
      const judged = { ...answer, forbiddenOrigins: definition.answer.forbiddenOrigins }
      const asksCursor = payload[5] !== 0
      this.#send(withId(payload, statement.id), count, new Exchange('result', judged, runOf(answer), asksCursor), out)
    })
  }

  #fetch(payload: Buffer, count: number, steps: Steps): void {
    const statement = this.#found(payload, 9)
    if (statement?.cursor === undefined) return this.#unknownStatement(count, steps)
    this.#fetching = statement
    this.#send(withId(payload, statement.id), count, new Exchange('rows', statement.definition.answer, statement.cursor), steps)
  }

  #stmtReset(payload: Buffer, count: number, steps: Steps): void {
    const statement = this.#found(payload, 5)
    if (statement === undefined) return this.#unknownStatement(count, steps)
    this.#statements.forgetLong(statement)
    this.#endCursor(statement, steps)
    this.#send(withId(payload, statement.id), count, new Exchange('single'), steps)
  }

  /** Never answered. */
  #close(payload: Buffer, steps: Steps): void {
    const statement = this.#found(payload, 5)
    if (statement === undefined) return
    this.#endCursor(statement, steps)
    this.#statements.remove(statement)
    steps.push({ kind: 'send', to: 'upstream', bytes: packets(0, withId(payload, statement.id)) })
  }

  /** Never answered, and kept here until the statement it belongs to is ruled. */
  #longData(payload: Buffer): void {
    const statement = this.#found(payload, 7)
    if (statement !== undefined) this.#statements.addLong(statement, payload.readUInt16LE(5), payload)
  }

  #found(payload: Buffer, size: number): Statement | undefined {
    if (payload.length < size) throw new Malformed('client', 'malformed-packet', 'a command on a prepared statement is too short')
    return this.#statements.find(payload.readUInt32LE(1))
  }

  #endCursor(statement: Statement, steps: Steps): void {
    if (statement.cursor !== undefined) steps.push(outcomeOf(statement.cursor))
    statement.cursor = undefined
  }

  #send(payload: Buffer, count: number, exchange: Exchange, steps: Steps): void {
    this.#exchange = exchange
    this.#responses.expect(count, packetCount(payload.length))
    const asItCame = this.#newest?.payload === payload ? this.#newest.packet : undefined
    const bytes = asItCame ?? packets(0, payload)
    steps.push({ kind: 'send', to: 'upstream', bytes })
  }

  #deny(answer: Answer, count: number, steps: Steps): void {
    const words = wordsOf(answer)
    steps.push({ kind: 'send', to: 'client', bytes: packets(count & 0xff, errorPayload(words)) })
    if (answer.statement > 0) steps.push(outcomeOf({ ...runOf(answer), error: `${words.code} ${words.message}` }))
  }

  #done(answer: Answer, count: number, steps: Steps): void {
    if (answer.words !== undefined) return this.#deny(answer, count, steps)
    steps.push({ kind: 'send', to: 'client', bytes: packets(count & 0xff, okPayload(this.#status)) }, outcomeOf(runOf(answer)))
  }

  /** As the server says it (ER_UNKNOWN_STMT_HANDLER). */
  #unknownStatement(count: number, steps: Steps): void {
    const words = { code: 1243, state: 'HY000', message: 'Unknown prepared statement handler given to a command' }
    steps.push({ kind: 'send', to: 'client', bytes: packets(count & 0xff, errorPayload(words)) })
  }
}

function wordsOf(answer: Answer): ErrorWords {
  if (answer.words === undefined) throw new Error('a denial without words')
  return answer.words
}

function runOf(answer: Answer): Run {
  const rowsUpTo = answer.ruling.kind === 'deny' ? undefined : answer.ruling.rowsUpTo
  return { statement: answer.statement, sent: 0, counted: 0, bytes: 0, rowsUpTo: rowsUpTo ?? Number.POSITIVE_INFINITY }
}
