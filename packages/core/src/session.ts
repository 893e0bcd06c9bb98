// The one thing a protocol may ask of the gateway: who and where, and the verbs dial, judge, record, settled.

import type { ClientFacts, Identity, Login, ScramChallenge } from './identity.js'
import type { Frame, Line, Outcome, Side } from './frame.js'
import type { Mask, Ruling, Verdict } from './ruling.js'
import type { Effect, Statement, StatementKind } from './statement.js'
import type { Credential, Endpoint, Target, Upstream } from './target.js'
import type { SecureContext } from 'node:tls'
import type { Duplex } from 'node:stream'

/** An answer that is there at once where it can be, and a promise where it must wait. No promise on the hot path. */
export type Settled<T> = T | Promise<T>

/** Whether the protocol can apply these masks to this statement; where it cannot, the statement is denied with `reason`. */
export type Traced =
  { readonly kind: 'traced'; readonly forwarded?: string } | { readonly kind: 'untraceable'; readonly reason: string }

/** A statement is waiting for people. */
export interface ReviewNotice {
  readonly review: string
  readonly address: string
  readonly text: string
}

export interface Asking {
  /** `prepare`: the statement is only being prepared; a denial counts, a review waits until it runs, and only a denial is recorded. */
  readonly phase?: 'prepare' | 'run'
  /** The protocol itself refuses the statement with this reason, whatever the rules say. */
  readonly refusal?: string
  /** Off unless a rule allows it: where no rule matches, the statement is denied with this reason, even on a target that allows by default. */
  readonly needsRule?: string
  /** The client withdrew (cancelled, hung up): the review is closed and the statement denied as `review-withdrawn`. */
  readonly signal?: AbortSignal
  readonly onWait?: (notice: ReviewNotice) => void
  /** Absent: this protocol cannot mask this statement, so a mask becomes a denial. */
  readonly trace?: (masks: readonly Mask[]) => Settled<Traced>
  /** Rows produced with the next one, when asking again for a statement that reached `rowsUpTo`: `rowsUpTo + 1`. */
  readonly rows?: number
}

/** A target and the way to it. */
export interface Reach {
  readonly target: Target
  /** Aborted when the session must end: revoked, ended by an operator, recorder failed, shutting down. `reason` is a Denied or RecordingFailed. */
  readonly signal: AbortSignal
  /** Connects to the target with its stored credential; `to`: where the target stands for many hosts, which of them. Throws Unreachable. */
  dial(to?: Endpoint): Promise<Upstream>
}

/** One identity on one target through one connection. */
export interface Session extends Reach {
  readonly id: string
  readonly identity: Identity
  readonly client: ClientFacts
  /** Whether a mask rule could apply to this identity here; where so, error details of writes are covered as well. */
  readonly mayMask: boolean
  readonly mayRule: boolean
  /** The stored credential, for protocols that put it into each request. The same rules: fetched late, goes nowhere else. */
  credential(): Promise<Credential>
  /** Records statement and ruling, settles a review with people, and answers what to obey. Never throws for a denial. */
  judge(statement: Statement, asking?: Asking): Settled<Ruling>
  /** What policy would answer; nothing is recorded and nobody is asked. For lists of what may be done. */
  foresee(statement: Statement): Verdict
  /** Bytes as the client sees them (`from: 'upstream'`), or data the client sent that belongs to the evidence (`from: 'client'`). */
  record(from: Side, bytes: Uint8Array, channel?: number): void
  outcome(outcome: Outcome): void
  mark(name: string, detail: string, channel?: number): void
  /** Resolves when everything recorded so far is as durable as the target asks; call once per batch, before the bytes go on. */
  settled(): Settled<void>
  /** Ends the record. Safe to call twice. */
  close(outcome: string): Promise<void>
}

/** The certificate the gateway shows. `certificate` is DER; SCRAM-SHA-256-PLUS binds to it (RFC 5929, section 4). */
export interface GatewayTls {
  readonly context: SecureContext
  readonly certificate: Uint8Array
  /** A context that shows a certificate for this host name, of our own authority; absent where the operator brought a certificate. */
  readonly contextFor?: (host: string) => SecureContext
}

/** What stands where a client wants to go through its session (a forwarded port). */
export type Inside =
  | { readonly kind: 'unknown' }
  /** A target of ours that this identity may not reach. */
  | { readonly kind: 'not granted' }
  /** `serve`: as if it had come to a listener of that target's protocol; the login on it must be of the same identity. */
  | { readonly kind: 'target'; readonly targets: readonly string[]; readonly serve: (stream: Duplex) => Promise<void> }

export interface Gate {
  readonly tls: GatewayTls
  /** Milliseconds a client may take to log in, and a session may sit idle (0: without limit). */
  readonly limits: { readonly loginMs: number; readonly idleMs: number }
  challenge(user: string): Promise<ScramChallenge>
  /** Who, where, whether granted, and the `connect` statement. Throws Denied. */
  admit(login: Login, asking?: Asking): Promise<Session>
  /** Who calls, of a client that names its target later: nothing is granted by it. Throws Denied. */
  identify(login: Omit<Login, 'target'>): Promise<Identity>
  /** What stands at an address that the client of this session names. */
  inside(session: Session, host: string, port: number): Inside
  /** This connection showed the proof of a session that lives already, so it is no stranger any more. */
  rejoin(session: Session): void
  /** Says what went wrong in the gateway's log. Never a credential, never a value. */
  log(level: 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>): void
}

/** A client's connection as the listener accepted it. */
export interface ClientConnection {
  readonly stream: Duplex
  readonly facts: ClientFacts
}

/** What a text would do, as far as it can be told without running it. */
export interface Understood {
  /** Absent: a query. */
  readonly kind?: StatementKind
  readonly text: string
  readonly effects: readonly Effect[]
  /** It is refused whatever the rules say. */
  readonly refusal?: string
  /** false: the target did not answer, so its names are not known. */
  readonly namesKnown: boolean
  readonly trace: (masks: readonly Mask[]) => Settled<Traced>
}

export interface Protocol {
  readonly name: string
  /** The server speaks first, so that a client's silence means this protocol. */
  readonly speaksFirst: boolean
  /** Whether these first bytes open this protocol; `more` asks for more of them. On a port of its own this is not asked. */
  recognises(first: Uint8Array): 'yes' | 'no' | 'more'
  /** The life of one connection; resolves when it is over. Throws nothing but bugs. */
  serve(client: ClientConnection, gate: Gate): Promise<void>
  transcribe(frames: AsyncIterable<Frame>): AsyncIterable<Line>
  /** What a terminal showed, as asciicast version 2: a header, then events. Absent: this protocol has no terminals. */
  cast?(frames: AsyncIterable<Frame>): AsyncIterable<object>
  /**
   * For asking what the rules would say of a text that nobody has sent. Never rejects for a target that does not answer. With `schema` the names
   * are those that `schema` gave, and the target is not asked; throws Misconfigured for a text that it did not give.
   */
  understand(text: string, reach: Reach, schema?: string): Promise<Understood>
  /** What there is at a target (tables, columns, views, functions), as text for `understand`. Absent: this protocol's targets have no names of their own. */
  schema?(reach: Reach): Promise<string>
}

/** Where a session's frames go. */
export interface Recording {
  append(frame: Frame): void
  settled(): Settled<void>
  close(outcome: string): Promise<void>
}

export interface RecordedSession {
  readonly id: string
  readonly identity: Identity
  readonly target: Target
  readonly client: ClientFacts
  readonly startedAt: number
}

export interface Recorder {
  /** Throws RecordingFailed where no record can be kept: then there is no session. `onFailure` is told when it can no longer be. */
  open(session: RecordedSession, onFailure: (error: Error) => void): Recording
}
