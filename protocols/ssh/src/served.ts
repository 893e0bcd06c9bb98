// One client's connection while it is served: what its channels share.

import { Unreachable } from '@sallyport/core'
import type { Asking, Effect, Gate, Ruling, Session, Statement, StatementKind } from '@sallyport/core'
import type { Client, ClientChannel as FarChannel, Connection } from 'ssh2'
import type { Duplex } from 'node:stream'
import type { Commands } from './commands.js'
import { logIn } from './upstream.js'

export interface ServedParts {
  readonly session: Session
  readonly gate: Gate
  /** The client's end, as the library has it. */
  readonly connection: Connection
  /** Our listener's socket under the library: its fullness is the client's slowness. */
  readonly socket: Duplex
  readonly commands: Commands
  /** Makes stand-ins and hashes of masked values. */
  readonly salt: string
  readonly bug: (error: unknown) => void
}

/** What is asked before anything is done. */
export interface Question {
  readonly kind: StatementKind
  readonly text: string
  readonly effects: readonly Effect[]
  readonly provenance?: string | undefined
}

/** OpenSSH's MaxSessions is 10 by default; automation with ControlMaster opens some hundred. */
const maxOpenChannels = 256

export type Begin = (client: Client, done: (error: Error | undefined, far: FarChannel) => void) => void

const noChannel = 'the target opened no channel for this: it serves no more at once (MaxSessions of sshd), or it hung up'

export interface Answered {
  readonly statement: number
  readonly ruling: Ruling
}

export class Served {
  readonly session: Session
  readonly gate: Gate
  readonly connection: Connection
  readonly socket: Duplex
  readonly commands: Commands
  readonly salt: string
  readonly bug: (error: unknown) => void
  /** The target, dialled once for all channels. */
  readonly upstream: Promise<Client>
  /** Told once when the client or the session is gone; each forgets itself when it is over before that. */
  readonly #endings = new Set<() => void>()
  #over = false
  #statements = 0
  #channels = 0
  #open = 0

  constructor(parts: ServedParts) {
    this.session = parts.session
    this.gate = parts.gate
    this.connection = parts.connection
    this.socket = parts.socket
    this.commands = parts.commands
    this.salt = parts.salt
    this.bug = parts.bug
    this.upstream = logIn(this.session, (reason) => {
      this.gate.log('warn', 'login at the target failed', { session: this.session.id, target: this.session.target.name, reason })
    })
    this.upstream.catch(() => {})
    const over = (): void => this.#end()
    // As many as there are channels wait for it to drain.
    this.socket.setMaxListeners(0)
    this.socket.once('close', over)
    this.session.signal.addEventListener('abort', over, { once: true })
    if (this.socket.destroyed || this.session.signal.aborted) over()
  }

  /** Calls when the client or the session is gone, at once where they are; answers with how to be forgotten. */
  whenOver(act: () => void): () => void {
    if (this.#over) act()
    else this.#endings.add(act)
    return () => this.#endings.delete(act)
  }

  #end(): void {
    this.#over = true
    for (const act of this.#endings) act()
    this.#endings.clear()
  }

  /** A number for a channel: its streams are recorded as twice that, and that plus one for stderr. */
  nextChannel(): number {
    this.#channels += 1
    return this.#channels
  }

  /** A place among the open channels; false where there is none left. */
  enter(): boolean {
    if (this.#open >= maxOpenChannels) return false
    this.#open += 1
    return true
  }

  leave(): void {
    this.#open -= 1
  }

  get busy(): boolean {
    return this.#open > 0
  }

  /** Judges, and waits for people where that is needed; what was decided is on record, durably, before this resolves. */
  async judge(question: Question, asking: Asking = {}): Promise<Answered> {
    this.#statements += 1
    const id = this.#statements
    const ruling = await this.session.judge(statementOf(question, id), asking)
    await this.session.settled()
    return { statement: id, ruling }
  }

  /** Whether a rule has a say in this; nothing is recorded and nobody is asked. */
  isRuled(question: Question): boolean {
    const verdict = this.session.foresee(statementOf(question, this.#statements + 1))
    return verdict.kind !== 'allow' || verdict.rule !== null
  }

  /** Opens a channel at the target. `opened` is called with it at once: more may stand in the packets that are read with it. Throws Unreachable. */
  async open<T>(begin: Begin, opened: (far: FarChannel) => T, refusal = noChannel): Promise<T> {
    const client = await this.upstream
    if (this.session.signal.aborted) throw new Unreachable('session-ended', 'the session was ended')
    return new Promise((resolve, reject) => {
      const refused = (cause: unknown): void => reject(new Unreachable('channel-refused', refusal, { cause }))
      try {
        begin(client, (error, far) => (error === undefined ? resolve(opened(far)) : refused(error)))
      } catch (error) {
        // So the library says that the connection is gone.
        refused(error)
      }
    })
  }
}

function statementOf({ kind, text, effects, provenance }: Question, id: number): Statement {
  const statement: Statement = { id, kind, text, parameters: [], effects, held: true }
  return provenance === undefined ? statement : { ...statement, provenance }
}
