// SSH: let the client in, admit, log in at the target, serve the channels. The library cuts the bytes; what they mean is decided here.

import type { Duplex } from 'node:stream'
import { Denied } from '@sallyport/core'
import type { ClientConnection, CodeLogins, Gate, Identity, Protocol, Session } from '@sallyport/core'
import type { SqlReader } from '@sallyport/sql'
import ssh2 from 'ssh2'
import type { Connection, Server } from 'ssh2'
import { algorithms } from './algorithms.js'
import { cast } from './cast.js'
import { refuseChannels, serveChannels } from './channels.js'
import { faultOf } from './command.js'
import { Commands } from './commands.js'
import { serveForwards } from './forward.js'
import type { HostKey } from './host-key.js'
import { serveJumps } from './jump.js'
import type { Jump } from './jump.js'
import { showCertificate } from './library-certificates.js'
import { identification, tellUnread } from './library.js'
import { enter } from './login.js'
import { traceOutput, traceTransfer } from './output-masks.js'
import { Served } from './served.js'
import { transcribe } from './transcribe.js'

export { openHostKey } from './host-key.js'
export type { HostKey } from './host-key.js'

export interface SshOptions {
  readonly sql: SqlReader
  /** Makes hashes of masked values that stay the same over sessions, and stand-ins of one session. */
  readonly salt: string
  /** The key by which clients know this gateway. */
  readonly hostKey: HostKey
  /** What an authority says of that key, made anew: for clients that trust the authority instead of the key. */
  readonly hostCertificate: () => Buffer
  /** Where people log in who show neither key nor token. */
  readonly logins: CodeLogins
}

/** RFC 4253, section 4.2: the version exchange begins with these bytes. */
const opening = Buffer.from('SSH-')
/** How long the library may take to say goodbye. */
const goodbyeMs = 1_000

export function ssh(options: SshOptions): Protocol {
  const commands = new Commands(options.sql)
  return {
    name: 'ssh',
    speaksFirst: false,
    recognises: (first) => {
      const seen = Buffer.from(first).subarray(0, opening.length)
      if (!seen.equals(opening.subarray(0, seen.length))) return 'no'
      return seen.length === opening.length ? 'yes' : 'more'
    },
    serve: (client, gate) => serve(client, gate, { ...options, commands }),
    transcribe,
    cast,
    understand: async (text, { target }) => {
      const { effects, transfer } = await commands.understand(text, target.trust.programs)
      const refusal = faultOf(text, effects)
      const trace = transfer === undefined ? traceOutput : traceTransfer
      return { kind: 'command', text, effects, namesKnown: true, trace, ...(refusal === undefined ? {} : { refusal }) }
    },
  }
}

interface Shared extends SshOptions {
  readonly commands: Commands
}

async function serve(client: ClientConnection, gate: Gate, shared: Shared, jump?: Jump): Promise<void> {
  const { stream } = client
  const over = new AbortController()
  const closed = new Promise<void>((resolve) => {
    stream.once('close', () => {
      over.abort()
      resolve()
    })
  })
  const late = setTimeout(() => stream.destroy(), gate.limits.loginMs)
  const server = new ssh2.Server(
    {
      hostKeys: [shared.hostKey.privateKey],
      algorithms: algorithms(['ssh-ed25519']),
      ident: identification,
      keepaliveInterval: 30_000,
      keepaliveCountMax: 3,
    },
    (connection) => {
      clearTimeout(late)
      // A broken peer, a failed key exchange, a reset: the socket's end is what counts.
      connection.on('error', (error: Error) =>
        gate.log('info', 'ssh connection failed', { client: client.facts.address, reason: error.message }),
      )
      if (!tellUnread(connection) || !showCertificate(connection, shared.hostCertificate()))
        return bugIn(new Error('the SSH library is not as expected'), gate, client)
      void enterAndServe({ connection, client, gate, shared, jump, over: over.signal }).catch((error: unknown) =>
        bugIn(error, gate, client),
      )
    },
  )
  inject(server, stream)
  await closed
  clearTimeout(late)
}

/** The library's types know sockets only; it takes any Duplex. */
function inject(server: Server, stream: ClientConnection['stream']): void {
  server.injectSocket(stream as Parameters<Server['injectSocket']>[0])
}

function bugIn(error: unknown, gate: Gate, client: ClientConnection, session?: string): void {
  const stack = error instanceof Error ? error.stack : String(error)
  gate.log('error', 'bug: an ssh connection failed in an unexpected way', { client: client.facts.address, session, stack })
  client.stream.destroy()
}

interface Serving {
  readonly connection: Connection
  readonly client: ClientConnection
  readonly gate: Gate
  readonly shared: Shared
  /** This connection came through another of ours. */
  readonly jump: Jump | undefined
  readonly over: AbortSignal
}

async function enterAndServe(serving: Serving): Promise<void> {
  const { connection, client, gate, shared, jump, over } = serving
  const entered = await enter(connection, { facts: client.facts, gate, logins: shared.logins, jump, signal: over })
  if (entered === undefined) return leave(connection, client)
  if ('session' in entered) return serveSession(entered.session, connection, client, gate, shared, over)
  refuseChannels(connection, entered.refusal)
  if (entered.caller === undefined) hangUpLater(connection, client, gate.limits.loginMs)
  else serveAsJumpHost(entered.caller, serving)
}

/** No target was named that there is: a client that jumps names it next. */
function serveAsJumpHost(caller: Identity, { connection, client, gate, shared }: Serving): void {
  const inner = async (stream: Duplex, jump: Jump): Promise<void> => {
    try {
      await serve({ stream, facts: client.facts }, gate, shared, jump)
    } catch (error) {
      bugIn(error, gate, client)
    }
  }
  const hangUp = (): void => {
    connection.end()
    client.stream.destroy()
  }
  const forget = serveJumps(connection, { caller, serve: inner, hangUp, idleMs: gate.limits.loginMs })
  client.stream.once('close', forget)
}

/** Says goodbye; a client that does not answer by closing its end is cut off, or it would keep its place here for ever. */
function leave(connection: Connection, client: ClientConnection): void {
  connection.end()
  setTimeout(() => client.stream.destroy(), goodbyeMs).unref()
}

/** A client that may not in has heard why; nothing else keeps it here. */
function hangUpLater(connection: Connection, client: ClientConnection, withinMs: number): void {
  const timer = setTimeout(() => {
    connection.end()
    client.stream.destroy()
  }, withinMs)
  client.stream.once('close', () => clearTimeout(timer))
}

async function serveSession(
  session: Session,
  connection: Connection,
  client: ClientConnection,
  gate: Gate,
  shared: Shared,
  over: AbortSignal,
): Promise<void> {
  let outcome = 'closed'
  const bug = (error: unknown): void => {
    outcome = 'gateway fault'
    bugIn(error, gate, client, session.id)
  }
  const served = new Served({ session, gate, connection, socket: client.stream, commands: shared.commands, salt: shared.salt, bug })
  const end = (): void => {
    if (outcome === 'closed') outcome = session.signal.reason instanceof Denied ? session.signal.reason.message : 'ended'
    leave(connection, client)
  }
  /** Its channels have said so by then; none can be opened on this connection any more. */
  const hungUp = (): void => {
    if (outcome === 'closed') outcome = 'the target hung up'
    leave(connection, client)
  }
  session.signal.addEventListener('abort', end, { once: true })
  if (session.signal.aborted) end()
  serveChannels(connection, served)
  serveForwards(connection, served)
  void served.upstream.then(
    (target) => target.once('close', () => setTimeout(hungUp, goodbyeMs).unref()),
    () => {},
  )
  const idle = watchIdle(served, () => leave(connection, client), gate.limits.idleMs)
  await new Promise<void>((resolve) => {
    over.addEventListener('abort', () => resolve(), { once: true })
    if (over.aborted) resolve()
  })
  clearInterval(idle)
  session.signal.removeEventListener('abort', end)
  await session.close(outcome)
  await served.upstream.then(
    (target) => target.end(),
    () => {},
  )
}

/** A connection without an open channel is idle (a ControlMaster that nobody uses any more). */
function watchIdle(served: Served, end: () => void, idleMs: number): NodeJS.Timeout | undefined {
  if (idleMs === 0) return undefined
  let idleSince = performance.now()
  return setInterval(
    () => {
      if (served.busy) idleSince = performance.now()
      else if (performance.now() - idleSince >= idleMs) end()
    },
    Math.min(idleMs, 10_000),
  ).unref()
}
