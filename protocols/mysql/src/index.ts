// MySQL and MariaDB: greet the client, admit, connect the target, relay. Everything else in this room serves one of these four.

import { Denied, isKnownError, Unreachable } from '@sallyport/core'
import type { ClientConnection, Gate, Mask, Protocol, Reach, Session, Traced, Understood } from '@sallyport/core'
import { MysqlCatalog } from '@sallyport/sql'
import type { MysqlContext, MysqlReader } from '@sallyport/sql'
import { letGo, relay } from '@sallyport/wire'
import { Catalogues, readCatalogue } from './catalogues.js'
import { Judging } from './judging.js'
import { greet, rsaKeyMaker } from './login.js'
import type { Admitted, RsaKey } from './login.js'
import { capability, errorPayload, okPayload, packets, serverStatus } from './packets.js'
import { Threads } from './threads.js'
import { eofMark, transcribe } from './transcribe.js'
import { logIn } from './upstream.js'
import type { LoggedIn } from './upstream.js'
import { wordFatal } from './wording.js'
import { MysqlWire } from './wire.js'

export interface MysqlOptions {
  /** Secret of this installation: makes `hash` masks that stay the same over sessions. */
  readonly salt: string
  readonly sql: MysqlReader
  /** What the greeting says: it is sent before anybody knows which server the client wants. */
  readonly serverVersion: string
}

/** A cancel that the target does not take within this is given up; statements wait meanwhile. */
const cancelMs = 5_000

export function mysql(options: MysqlOptions): Protocol {
  const shared: Shared = {
    ...options,
    catalogues: new Catalogues(),
    threads: new Threads(),
    rsaKey: rsaKeyMaker(),
  }
  return {
    name: 'mysql',
    speaksFirst: true,
    // A MySQL client waits for the server: what speaks first is another protocol.
    recognises: () => 'no',
    serve: (client, gate) => serve(client, gate, shared),
    transcribe,
    understand: (text, reach, schema) => understand(text, reach, schema, shared),
    schema: async (reach) => JSON.stringify(await readCatalogue(reach)),
  }
}

async function understand(
  text: string,
  reach: Reach,
  schema: string | undefined,
  { sql: reader, catalogues }: Shared,
): Promise<Understood> {
  const { target } = reach
  const contextOf = (catalog: MysqlCatalog): MysqlContext => ({
    catalog,
    database: target.database ?? '',
    temporaries: new Set(),
    trustedFunctions: target.trust.functions,
  })
  const unread = contextOf(new MysqlCatalog([], [], []))
  const read = async (): Promise<MysqlContext> =>
    contextOf(schema === undefined ? await catalogues.of(reach, 'fresh') : catalogues.given(schema))
  const context = await read().catch((error: unknown) => {
    if (isKnownError(error) && schema === undefined) return unread
    throw error
  })
  const bytes = Buffer.from(text, 'utf8').toString('latin1')
  const { text: covered, effects, refusal, canonical } = await reader.understand(bytes, context)
  const trace = async (masks: readonly Mask[]): Promise<Traced> => {
    const found = await reader.mask(canonical ?? bytes, context, masks, '')
    if (found.kind === 'untraceable') return found
    return {
      kind: 'traced',
      ...(found.kind === 'rewritten' ? { forwarded: Buffer.from(found.text, 'latin1').toString('utf8') } : {}),
    }
  }
  return { text: covered, effects, namesKnown: context !== unread, trace, ...(refusal === undefined ? {} : { refusal }) }
}

interface Shared extends MysqlOptions {
  readonly catalogues: Catalogues
  readonly threads: Threads
  readonly rsaKey: RsaKey
}

async function serve(client: ClientConnection, gate: Gate, shared: Shared): Promise<void> {
  client.stream.on('error', () => {})
  let admitted
  try {
    admitted = await greet(client, gate, {
      version: shared.serverVersion,
      threadId: shared.threads.nextId(),
      rsaKey: shared.rsaKey,
    })
  } catch (error) {
    if (!isKnownError(error)) throw error
    gate.log('info', 'login failed', { client: client.facts.address, code: error.code, reason: error.message })
    letGo(client.stream)
    return
  }
  await serveSession(admitted, gate, shared)
}

async function serveSession(admitted: Admitted, gate: Gate, shared: Shared): Promise<void> {
  const { session, line, capabilities, client } = admitted
  line.stream.on('error', () => {})
  let outcome = 'gateway fault'
  try {
    const flags = capabilities & ~capability.odbc
    const target = await logIn(session, flags, attributesFor(session, client.application), session.signal)
    target.line.stream.on('error', () => {})
    outcome = await relaySession(admitted, target, gate, shared)
  } catch (error) {
    if (!isKnownError(error)) throw error
    outcome = error.code
    gate.log('warn', 'session failed', { session: session.id, code: error.code, reason: error.message, cause: causeOf(error) })
    if (!line.stream.destroyed) line.write(errorPayload(wordFatal(error, session.id)))
    letGo(line.stream)
  } finally {
    await session
      .close(outcome)
      .catch((error: unknown) => gate.log('error', 'the record was not closed', { session: session.id, reason: String(error) }))
  }
}

const causeOf = (error: Error): string | undefined => (error.cause instanceof Error ? error.cause.message : undefined)

/** The target sees who really calls in performance_schema.session_connect_attrs. */
function attributesFor({ identity, id }: Session, application: string | undefined): ReadonlyMap<string, string> {
  return new Map([
    ['program_name', application === undefined ? 'sallyport' : `sallyport: ${application}`],
    ['sallyport_identity', identity.name],
    ['sallyport_session', id],
  ])
}

async function relaySession(admitted: Admitted, target: LoggedIn, gate: Gate, shared: Shared): Promise<string> {
  const { session, line, threadId } = admitted
  const deprecateEof = (admitted.capabilities & capability.deprecateEof) !== 0
  const wire: MysqlWire = new MysqlWire({ deprecateEof, pins: target.pins, database: () => judging.database })
  const judging = new Judging({
    session,
    reader: shared.sql,
    catalogues: shared.catalogues,
    salts: { hash: shared.salt, token: `${shared.salt}${session.id}` },
    kill: (id, what) => shared.threads.kill(session, id, what),
    resets: () => wire.resets,
    notice: ({ review, address }) => gate.log('info', 'a statement waits for review', { session: session.id, review, address }),
  })
  session.mark(eofMark, deprecateEof ? 'ok' : 'eof')
  line.write(okPayload(serverStatus.autocommit))
  const run = relay({
    wire,
    session,
    client: line.stream,
    upstream: target.line.stream,
    early: { client: line.detach(), upstream: target.line.detach() },
    judge: (question) => judging.ask(question),
    cancel: () => killQuery(session, target.threadId),
    outcome: (end) => judging.ended(end),
    clientGone: () => judging.withdraw(),
    upstreamGone: () => new Unreachable('target-gone', `target ${session.target.name} closed the connection`),
    wordError: (error) => packets(wire.nextNumber, errorPayload(wordFatal(error, session.id))),
    idleMs: gate.limits.idleMs,
    idleError: () => new Denied('idle-limit', 'the session was idle for too long'),
  })
  const cancel = (): void => {
    judging.withdraw()
    if (wire.running)
      run.cancel().catch((error: unknown) => gate.log('warn', 'a cancel failed', { session: session.id, reason: String(error) }))
  }
  const retire = shared.threads.add(threadId, { session, upstreamId: target.threadId, cancel, end: () => letGo(line.stream) })
  try {
    const { outcome, bug } = await run.done
    if (bug !== undefined) throw bug
    return outcome
  } finally {
    retire()
  }
}

/** Over a connection of its own, as clients do it. That it could not be sent is not the statement's fault: it then simply runs on. */
async function killQuery(session: Session, threadId: number): Promise<void> {
  try {
    const { line } = await logIn(session, capability.deprecateEof, new Map(), AbortSignal.timeout(cancelMs))
    await line.query(`KILL QUERY ${threadId}`, true, 'cancelling').finally(() => line.quit())
  } catch (error) {
    if (!isKnownError(error)) throw error
    session.mark('cancel', error.message)
  }
}
