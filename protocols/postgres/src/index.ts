// Postgres: greet the client, admit, connect the target, relay. Everything else in this room serves one of these four.

import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { Denied, isKnownError, Unreachable } from '@sallyport/core'
import type { ClientConnection, Gate, Mask, Protocol, Reach, Session, Traced, Understood } from '@sallyport/core'
import type { SqlContext, SqlReader } from '@sallyport/sql'
import { letGo, readClientHello, relay } from '@sallyport/wire'
import type { RelayRun } from '@sallyport/wire'
import { CancelKeys, sendCancel } from './cancel.js'
import { Catalogues, readCatalogue } from './catalogues.js'
import { Judging } from './judging.js'
import { greet } from './login.js'
import type { Admitted } from './login.js'
import { errorResponse, fromUpstream, int32, message } from './messages.js'
import type { Question } from './question.js'
import { codes } from './startup.js'
import { transcribe } from './transcribe.js'
import { logIn } from './upstream.js'
import type { LoggedIn } from './upstream.js'
import { wordFatal } from './wording.js'
import { PostgresWire } from './wire.js'

export interface PostgresOptions {
  readonly sql: SqlReader
  /** Secret of this installation: makes `hash` masks that stay the same over sessions. */
  readonly salt: string
}

const tlsRecord = 0x16
const anyMinorOf3 = 3

export function postgres(options: PostgresOptions): Protocol {
  const keys = new CancelKeys()
  const catalogues = new Catalogues(options.sql)
  return {
    name: 'postgres',
    speaksFirst: false,
    recognises,
    serve: (client, gate) => serve(client, gate, { ...options, keys, catalogues }),
    transcribe,
    understand: (text, reach, schema) => understand(text, reach, schema, { sql: options.sql, catalogues }),
    schema: readCatalogue,
  }
}

async function understand(
  text: string,
  reach: Reach,
  schema: string | undefined,
  { sql, catalogues }: { readonly sql: SqlReader; readonly catalogues: Catalogues },
): Promise<Understood> {
  const trustedFunctions = reach.target.trust.functions
  const unread: SqlContext = { catalog: '', schemas: ['public'], trustedFunctions }
  const read = async (): Promise<SqlContext> => {
    const { id, content } = schema === undefined ? await catalogues.of(reach, 'fresh') : catalogues.given(schema)
    return { catalog: id, schemas: content.schemas, trustedFunctions }
  }
  const context = await read().catch((error: unknown) => {
    if (isKnownError(error) && schema === undefined) return unread
    throw error
  })
  const { text: covered, effects, refusal } = await sql.understand(text, context)
  const traced = async (masks: readonly Mask[]): Promise<Traced> => {
    const found = await sql.mask(text, context, masks, '')
    return found.kind === 'untraceable'
      ? found
      : { kind: 'traced', ...(found.kind === 'rewritten' ? { forwarded: found.text } : {}) }
  }
  return { text: covered, effects, namesKnown: context !== unread, trace: traced, ...(refusal === undefined ? {} : { refusal }) }
}

interface Shared extends PostgresOptions {
  readonly keys: CancelKeys
  readonly catalogues: Catalogues
}

/** A start-up packet names its length, then protocol 3 or one of the special requests. */
function recognises(first: Uint8Array): 'yes' | 'no' | 'more' {
  if (first[0] === tlsRecord) return asksForPostgres(first)
  if (first.length > 0 && first[0] !== 0) return 'no'
  if (first.length < 8) return 'more'
  const code = Buffer.from(first).readUInt32BE(4)
  return code >>> 16 === anyMinorOf3 || Object.values<number>(codes).includes(code) ? 'yes' : 'no'
}

/** A direct TLS connection says by ALPN what it wants inside (PostgreSQL documentation, section 54.2.12). */
function asksForPostgres(first: Uint8Array): 'yes' | 'no' | 'more' {
  const hello = readClientHello(first)
  if (hello.kind === 'more') return 'more'
  return hello.kind === 'hello' && hello.protocols.includes('postgresql') ? 'yes' : 'no'
}

async function serve(client: ClientConnection, gate: Gate, shared: Shared): Promise<void> {
  let greeted
  try {
    greeted = await greet(client, gate)
  } catch (error) {
    if (!isKnownError(error)) throw error
    gate.log('info', 'login failed', { client: client.facts.address, code: error.code, reason: error.message })
    letGo(client.stream)
    return
  }
  if ('cancel' in greeted) {
    shared.keys.cancel(greeted.cancel)
    letGo(greeted.stream)
    return
  }
  await serveSession(greeted, gate, shared)
}

async function serveSession(admitted: Admitted, gate: Gate, shared: Shared): Promise<void> {
  const { session, stream } = admitted
  stream.on('error', () => {})
  let outcome = 'gateway fault'
  try {
    const upstream = await session.dial()
    const target = await logIn(session.target, upstream, upstreamSettings(admitted), session.signal)
    target.stream.on('error', () => {})
    outcome = await relaySession(admitted, target, gate, shared)
  } catch (error) {
    if (!isKnownError(error)) throw error
    outcome = error.code
    gate.log('warn', 'session failed', { session: session.id, code: error.code, reason: error.message, cause: causeOf(error) })
    refuse(session, stream, error)
  } finally {
    await session
      .close(outcome)
      .catch((error: unknown) => gate.log('error', 'the record was not closed', { session: session.id, reason: String(error) }))
  }
}

function refuse(session: Session, stream: Duplex, error: unknown): void {
  if (stream.destroyed) return
  stream.write(errorResponse(wordFatal(error, session.id)))
  letGo(stream)
}

const causeOf = (error: Error): string | undefined => (error.cause instanceof Error ? error.cause.message : undefined)

/** The target sees who really calls in its own log and in pg_stat_activity. */
function upstreamSettings({ session, settings }: Admitted): ReadonlyMap<string, string> {
  const named = settings.get('application_name') ?? `sallyport ${session.identity.name}`
  return new Map([...settings, ['application_name', named]])
}

async function relaySession(admitted: Admitted, target: LoggedIn, gate: Gate, shared: Shared): Promise<string> {
  const { session, stream } = admitted
  const wire = new PostgresWire()
  const salts = { hash: shared.salt, token: randomBytes(16).toString('hex') }
  const judging = new Judging({
    session,
    sql: shared.sql,
    catalogues: shared.catalogues,
    wire,
    salts,
    notice: (notice) => run.perform(() => wire.notice(errorResponse({ severity: 'NOTICE', code: '00000', message: notice.text }))),
  })
  const { key, retire } = shared.keys.issue(target.key.processId, admitted.minor, () => cancel(run, wire, judging))
  stream.write(ready(target, key))
  const run: RelayRun<Question> = relay({
    wire,
    session,
    client: stream,
    upstream: target.stream,
    early: { client: admitted.early, upstream: target.early },
    judge: (question) => judging.ask(question),
    outcome: (end) => judging.ended(end),
    cancel: () => sendCancel(target.reached, target.key),
    clientGone: () => judging.withdraw(),
    upstreamGone: () =>
      wire.saidFatal ? undefined : new Unreachable('target-gone', `target ${session.target.name} closed the connection`),
    wordError: (error) => errorResponse(wordFatal(error, session.id)),
    idleMs: gate.limits.idleMs,
    idleError: () => new Denied('idle-limit', 'the session was idle for too long'),
  })
  const { outcome, bug } = await run.done
  retire()
  // A session that was ended must not go on working at the target, which notices a closed connection only when it next writes.
  if (session.signal.aborted && wire.running) await sendCancel(target.reached, target.key)
  if (bug !== undefined) {
    const stack = bug instanceof Error ? bug.stack : JSON.stringify(bug)
    gate.log('error', 'bug: a session failed in an unexpected way', { session: session.id, stack })
  }
  return outcome
}

/** A statement that waits for people is withdrawn; one that runs is cancelled at the target; else there is nothing to cancel. */
function cancel(run: RelayRun<Question>, wire: PostgresWire, judging: Judging): void {
  judging.withdraw()
  if (wire.running) void run.cancel()
}

/** What the server said of itself, our own cancel key with the server's real process id, and readiness. */
function ready(target: LoggedIn, key: { readonly processId: number; readonly secret: Buffer }): Buffer {
  const settings = [...target.reported].map(([name, value]) => message(fromUpstream.parameterStatus, name, value))
  const backendKey = message(fromUpstream.backendKeyData, int32(key.processId), key.secret)
  return Buffer.concat([...settings, backendKey, message(fromUpstream.readyForQuery, Buffer.from('I'))])
}
