// The Postgres machine: client messages are held until they are ruled, answers are matched with what was asked. Pure: bytes in, steps out.
//
// A denied message is replaced by one of the same kind that must fail at the server, and the error is reworded on its way back
// (sql-on-the-wire.md, 4.2): its turn, the transaction's state and the skipping up to Sync are the server's own, so they are never wrong.

import { Malformed } from '@sallyport/core'
import type { Wire } from '@sallyport/wire'
import {
  fromClient,
  int16,
  int32,
  message,
  readBind,
  readExecute,
  readNamed,
  readParse,
  readQuery,
  replaceParseText,
} from './messages.js'
import { Names } from './names.js'
import type { Answer, Definition, Question } from './question.js'
import { afterCopy, notRun, Replies, runOf } from './replies.js'
import type { Expected, Run, Settling, Steps } from './replies.js'
import { printed, Requests } from './requests.js'
import { Responses } from './responses.js'

/** Names a client may keep at once, so that they cannot fill the memory. */
const maxNames = 20_000
/** A portal name that only the gateway uses: executing it must fail. Client names that begin so are refused. */
const poisonName = 'sallyport denied'

interface Portal {
  readonly definition: Definition | undefined
  readonly statementName: string
  readonly formats: readonly number[]
  readonly values: readonly (Buffer | null)[]
  /** Set once it was executed: executing it again only fetches more of the same statement. */
  started?: { readonly answer: Answer; readonly run: Run }
}

type Continuation = (answer: Answer, steps: Steps) => void

export class PostgresWire implements Wire<Question, Answer> {
  readonly #requests = new Requests()
  readonly #replies: Replies
  readonly #responses: Responses
  readonly #statements = new Names<Definition>()
  readonly #portals = new Names<Portal>()
  #segment = 0
  #asked: Continuation | undefined
  /** Whether the open question is about a message of the client's, not about a response. */
  #askedOfClient = false
  #heldForCancel = false
  #over = false

  constructor() {
    this.#replies = new Replies(() => this.#portals.forget())
    this.#responses = new Responses(this.#replies)
  }

  get held(): number {
    return this.#requests.length
  }

  get clientHeld(): boolean {
    return this.#asked !== undefined || this.#heldForCancel || this.#unsettled
  }

  get upstreamHeld(): boolean {
    return this.#responses.stopped
  }

  /** Whether a cancel request would hit something at the server. */
  get running(): boolean {
    return this.#replies.running
  }

  get saidFatal(): boolean {
    return this.#replies.saidFatal
  }

  get transactionStatus(): string {
    return this.#replies.status
  }

  /** ParameterStatus values since the login. */
  get reported(): ReadonlyMap<string, string> {
    return this.#replies.reported
  }

  /** Everything that `name` may mean to a SQL EXECUTE at this moment. */
  preparedAs(name: string): Definition[] {
    return this.#statements.candidates(name)
  }

  /** What a SQL FETCH of a portal of this name may run; undefined inside: prepared by SQL. */
  boundAs(name: string): { readonly definition: Definition | undefined; readonly statementName: string }[] {
    return this.#portals.candidates(name)
  }

  /** SQL removed these names at the server; '*': all. */
  deallocated(names: readonly string[]): void {
    for (const name of names) this.#statements.forget(name === '*' ? undefined : name)
  }

  /** A notice of ours, put between two messages of the server's stream. */
  notice(bytes: Buffer): Steps {
    const steps: Steps = []
    this.#responses.insert(bytes, steps)
    return steps
  }

  receive(from: 'client' | 'upstream', chunk: Buffer): Steps {
    const steps: Steps = []
    if (from === 'client') this.#requests.push(chunk)
    else this.#fromUpstream(chunk, steps)
    this.#advance(steps)
    return steps
  }

  rule(answer: Answer): Steps {
    const steps: Steps = []
    const go = this.#asked
    this.#asked = undefined
    // The server failed an earlier message of this segment while this one was held, so it would skip it.
    if (this.#askedOfClient && this.#replies.skipping) this.#skipped(answer, steps)
    else go?.(answer, steps)
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
    const run = this.#replies.head?.run as Run
    this.#ask({ form: 'rows', ...full }, steps, (answer, out) => {
      if (answer.ruling.kind !== 'deny') run.rowsUpTo = answer.ruling.rowsUpTo ?? Number.POSITIVE_INFINITY
      else this.#cutOff(run, answer, out)
    })
  }

  #cutOff(run: Run, answer: Answer, steps: Steps): void {
    if (answer.words === undefined) throw new Error('a denial without words')
    this.#replies.refuse(answer.words)
    run.error = `${answer.words.code} ${answer.words.message}`
    steps.push({ kind: 'cancel' })
  }

  // ---- from the client ----

  #ask(question: Question, steps: Steps, then: Continuation): void {
    steps.push({ kind: 'judge', question })
    this.#asked = then
    this.#askedOfClient = question.form !== 'rows'
  }

  #skipped(answer: Answer, steps: Steps): void {
    if (answer.statement > 0)
      steps.push({ kind: 'outcome', outcome: { statement: answer.statement, rows: 0, bytes: 0, error: notRun } })
  }

  /** Whether the newest message may make the server read what follows as COPY data: until its first reply nothing more is cut. */
  get #unsettled(): boolean {
    return this.#waitsForName || this.#replies.last?.copyIn === 'possible'
  }

  #waitsForName = false

  #advance(steps: Steps): void {
    this.#waitsForName = false
    while (!this.clientHeld && !this.#over && !this.#responses.stopped) {
      const request = this.#requests.next()
      if (request === undefined) return
      if (request.kind === 'copy') this.#copyData(request.bytes, steps)
      else if (!this.#message(request.type, request.bytes, steps)) return
    }
  }

  /** COPY data goes on, and into the record, only while the server asked for it; at any other time the server ignores it and so do we. */
  #copyData(bytes: Buffer, steps: Steps): void {
    if (this.#replies.head?.copyIn === 'asked') steps.push({ kind: 'keep', bytes }, { kind: 'send', to: 'upstream', bytes })
  }

  /** false: it must wait, and was put back. */
  #message(type: number, bytes: Buffer, steps: Steps): boolean {
    if (this.#replies.head?.copyIn === 'asked') return this.#duringCopy(type, bytes, steps)
    if (this.#replies.skipping && type !== fromClient.sync && type !== fromClient.terminate) return true
    if (!this.#nameSettled(type, bytes)) {
      this.#requests.putBack(bytes)
      return false
    }
    this.#take(type, bytes, steps)
    return true
  }

  /** In copy-in mode the server itself ignores Flush and Sync (src/backend/commands/copyfromparse.c, CopyGetData). */
  #duringCopy(type: number, bytes: Buffer, steps: Steps): boolean {
    if (type === fromClient.flush || type === fromClient.sync) return true
    if (type === fromClient.terminate) this.#terminate(bytes, steps)
    else if (type === fromClient.copyDone || type === fromClient.copyFail) {
      const head = this.#replies.head as Expected
      head.copyIn = afterCopy(head)
      forward(bytes, steps)
    } else throw new Malformed('client', 'unexpected-message', `message ${printed(type)} does not belong into COPY data`)
    return true
  }

  #take(type: number, bytes: Buffer, steps: Steps): void {
    switch (type) {
      case fromClient.query:
        return this.#query(bytes, steps)
      case fromClient.parse:
        return this.#parse(bytes, steps)
      case fromClient.bind:
        return this.#bind(bytes, steps)
      case fromClient.describe:
        return this.#describe(bytes, steps)
      case fromClient.execute:
        return this.#execute(bytes, steps)
      case fromClient.close:
        return this.#close(bytes, steps)
      case fromClient.sync:
        this.#segment += 1
        this.#replies.skipping = false
        this.#replies.push({ kind: 'sync', copyIn: 'no' })
        return forward(bytes, steps)
      case fromClient.flush:
        return forward(bytes, steps)
      case fromClient.functionCall:
        return this.#functionCall(steps)
      case fromClient.terminate:
        return this.#terminate(bytes, steps)
      case fromClient.copyDone:
      case fromClient.copyFail:
        return
      default:
        throw new Malformed('client', 'unexpected-message', `message ${printed(type)} is not one that a client may send`)
    }
  }

  #terminate(bytes: Buffer, steps: Steps): void {
    this.#over = true
    forward(bytes, steps)
    steps.push({ kind: 'end', outcome: 'client terminated' })
  }

  #query(bytes: Buffer, steps: Steps): void {
    const sql = readQuery(bytes)
    this.#ask({ form: 'query', sql }, steps, (answer, out) => {
      const denied = answer.ruling.kind === 'deny'
      const entry: Expected = { kind: 'query', answer, run: runOf(answer), copyIn: !denied && answer.mayCopyIn ? 'possible' : 'no' }
      // A simple Query drops the unnamed statement (PostgreSQL documentation, "Extended Query").
      const dropped = this.#statements.candidates('').length > 0 ? this.#proposed(this.#statements, '', undefined) : undefined
      this.#replies.push(dropped === undefined ? entry : { ...entry, settling: dropped })
      forward(
        denied
          ? message(fromClient.query, poison(answer))
          : answer.text === undefined
            ? bytes
            : message(fromClient.query, answer.text),
        out,
      )
    })
  }

  #parse(bytes: Buffer, steps: Steps): void {
    const { name, sql, types } = readParse(bytes)
    this.#refuseName(name)
    if (this.#statements.size >= maxNames)
      throw new Malformed('client', 'too-many-names', `more than ${maxNames} prepared statements at once`)
    this.#ask({ form: 'parse', sql }, steps, (answer, out) => {
      if (answer.ruling.kind === 'deny') {
        this.#poisoned({ kind: 'parse', answer, copyIn: 'no' })
        return forward(
          message(fromClient.parse, name === '' ? Buffer.from([0]) : Buffer.from(`${name}\0`, 'latin1'), poison(answer), int16(0)),
          out,
        )
      }
      const settling = this.#proposed(this.#statements, name, { sql, types, answer })
      this.#replies.push({ kind: 'parse', answer, settling, copyIn: 'no' })
      forward(answer.text === undefined ? bytes : replaceParseText(bytes, answer.text), out)
    })
  }

  #bind(bytes: Buffer, steps: Steps): void {
    const { portal, statement, formats, values } = readBind(bytes)
    this.#refuseName(portal)
    if (this.#portals.size >= maxNames) throw new Malformed('client', 'too-many-names', `more than ${maxNames} portals at once`)
    const found = this.#statements.find(statement, this.#segment)
    const definition = found.kind === 'known' ? found.value : undefined
    const settling = this.#proposed(this.#portals, portal, { definition, statementName: statement, formats, values })
    this.#replies.push({ kind: 'bind', settling, copyIn: 'no', ...(definition === undefined ? {} : { definition }) })
    forward(bytes, steps)
  }

  #describe(bytes: Buffer, steps: Steps): void {
    const { what, name } = readNamed(bytes)
    const definition = what === 'statement' ? this.#found(this.#statements, name) : this.#found(this.#portals, name)?.definition
    this.#replies.push({ kind: 'describe', copyIn: 'no', ...(definition === undefined ? {} : { definition }) })
    forward(bytes, steps)
  }

  #close(bytes: Buffer, steps: Steps): void {
    const { what, name } = readNamed(bytes)
    const settling =
      what === 'statement' ? this.#proposed(this.#statements, name, undefined) : this.#proposed(this.#portals, name, undefined)
    this.#replies.push({ kind: 'close', settling, copyIn: 'no' })
    forward(bytes, steps)
  }

  #execute(bytes: Buffer, steps: Steps): void {
    const name = readExecute(bytes).portal
    const portal = this.#found(this.#portals, name)
    if (portal?.started !== undefined) {
      const { answer, run } = portal.started
      this.#replies.push({ kind: 'execute', answer, run, copyIn: 'no' })
      return forward(bytes, steps)
    }
    const question: Question = portal === undefined ? { form: 'fetch', portal: name } : { form: 'execute', ...portal }
    this.#ask(question, steps, (answer, out) => {
      if (answer.ruling.kind === 'deny') {
        this.#poisoned({ kind: 'execute', answer, run: runOf(answer), copyIn: 'no' })
        return forward(message(fromClient.execute, `${poisonName} ${answer.statement}`, int32(0)), out)
      }
      const run = runOf(answer)
      if (portal !== undefined) portal.started = { answer, run }
      this.#replies.push({ kind: 'execute', answer, run, copyIn: answer.mayCopyIn ? 'possible' : 'no' })
      forward(bytes, out)
      // The server says nothing before Sync unless it is asked to; with COPY in question its answer is needed first.
      if (answer.mayCopyIn) forward(message(fromClient.flush), out)
    })
  }

  /** Always denied: it runs any function without SQL text (sql-on-the-wire.md, 2.3). OID 0 makes it fail at the server. */
  #functionCall(steps: Steps): void {
    this.#ask({ form: 'function-call' }, steps, (answer, out) => {
      this.#replies.push({ kind: 'query', answer, run: runOf(answer), copyIn: 'no' })
      forward(message(fromClient.functionCall, int32(0), int16(0), int16(0), int16(0)), out)
    })
  }

  /** After a poisoned message the server skips up to Sync, so nothing more of this segment needs to go on. */
  #poisoned(entry: Expected): void {
    this.#replies.push(entry)
    this.#replies.skipping = true
  }

  #proposed<T>(names: Names<T>, name: string, value: T | undefined): Settling {
    const change = names.propose(name, value, this.#segment)
    return { confirm: () => names.confirm(change), revert: () => names.revert(change) }
  }

  #found<T>(names: Names<T>, name: string): T | undefined {
    const found = names.find(name, this.#segment)
    return found.kind === 'known' ? found.value : undefined
  }

  /** A name that an earlier segment is about to change means one thing or another, depending on replies that are on their way. */
  #nameSettled(type: number, bytes: Buffer): boolean {
    if (type !== fromClient.bind && type !== fromClient.execute && type !== fromClient.describe) return true
    if (!this.#statements.changingSince(this.#segment) && !this.#portals.changingSince(this.#segment)) return true
    this.#waitsForName = this.#replies.size > 0 && this.#unsettledName(type, bytes)
    return !this.#waitsForName
  }

  #unsettledName(type: number, bytes: Buffer): boolean {
    if (type === fromClient.bind) return this.#statements.find(readBind(bytes).statement, this.#segment).kind === 'unsettled'
    if (type === fromClient.execute) return this.#portals.find(readExecute(bytes).portal, this.#segment).kind === 'unsettled'
    const { what, name } = readNamed(bytes)
    return (what === 'statement' ? this.#statements : this.#portals).find(name, this.#segment).kind === 'unsettled'
  }

  #refuseName(name: string): void {
    if (name.startsWith(poisonName))
      throw new Malformed('client', 'reserved-name', `names that begin with "${poisonName}" are the gateway's own`)
  }
}

function forward(bytes: Buffer, steps: Steps): void {
  steps.push({ kind: 'send', to: 'upstream', bytes })
}

/** Not SQL in any dialect or lexer state: no quotes, ASCII only, and `!` alone is no statement. */
function poison(answer: Answer): string {
  return `/* denied by the gateway: statement ${answer.statement} */ !`
}
