// Accept, detect the protocol, admit, keep the session's place among the living, close. The life of every connection starts and ends here.

import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { Denied, matchesAnyName, Misconfigured, Unreachable } from '@sallyport/core'
import type {
  Asking,
  ClientFacts,
  Credential,
  Gate,
  GatewayTls,
  Hop,
  Identity,
  Judge,
  Login,
  Proof,
  Protocol,
  Recorder,
  ScramChallenge,
  Session,
  Statement,
  Target,
} from '@sallyport/core'
import { detectProtocol } from './detect.js'
import { holdWithin, insideOf } from './inside.js'
import type { Bounds } from './inside.js'
import { splitAddress } from './dialing.js'
import { LiveSession, microseconds } from './session.js'
import type { Reviews } from './session.js'

export interface Proved {
  readonly identity: Identity
  readonly token?: { readonly id: string; readonly expiresAt: Date }
}

export interface Authenticator {
  challenge(user: string): Promise<ScramChallenge>
  prove(login: { user: string; proof: Proof; tls: boolean; loopback: boolean; address: string }): Promise<Proved>
}

/** What the operator's configuration says at this moment. */
export interface Definitions {
  readonly targets: readonly Target[]
  granted(identity: Identity, target: Target): boolean
  judgeFor(identity: Identity, target: Target): Judge
  credentialFor(target: Target): Promise<Credential>
}

export interface Limits {
  readonly loginMs: number
  readonly idleMs: number
  /** Connections at once, logged in or not. */
  readonly connections: number
  /** Connections at once that have not logged in yet: a flood of silence must not use up the rest. */
  readonly strangers: number
}

export interface GatewayParts {
  readonly protocols: readonly Protocol[]
  readonly tls: GatewayTls
  readonly authenticator: Authenticator
  readonly recorder: Recorder
  readonly reviews: Reviews
  readonly definitions: () => Definitions
  readonly log: Gate['log']
  readonly limits: Limits
}

export interface Gateway {
  listen(listener: {
    readonly protocol: string
    readonly address: string
  }): Promise<{ readonly protocol: string; readonly address: string }>
  live(): readonly LiveSession[]
  end(sessionId: string, reason: string): boolean
  endWhere(doomed: (session: LiveSession) => boolean, reason: string): number
  /** Cuts the live sessions whose grant is gone. */
  definitionsChanged(): void
  stop(withinMs: number): Promise<void>
}

export function createGateway(parts: GatewayParts): Gateway {
  return new Node(parts)
}

class Node implements Gateway {
  readonly #parts: GatewayParts
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Map<string, LiveSession>()
  #strangers = 0
  #stopping = false

  constructor(parts: GatewayParts) {
    this.#parts = parts
  }

  async listen(listener: { readonly protocol: string; readonly address: string }): Promise<{ protocol: string; address: string }> {
    const fixed = this.#parts.protocols.find((protocol) => protocol.name === listener.protocol)
    if (fixed === undefined && listener.protocol !== 'auto') {
      throw new Misconfigured(
        'unknown-protocol',
        `no protocol is called ${listener.protocol}; write auto or one of ${this.#parts.protocols.map((each) => each.name).join(', ')}`,
      )
    }
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => void this.#accept(socket, fixed))
    this.#servers.push(server)
    await startListening(server, listener.address)
    const { address, port, family } = server.address() as AddressInfo
    return { protocol: listener.protocol, address: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}` }
  }

  live(): readonly LiveSession[] {
    return [...this.#sessions.values()]
  }

  end(sessionId: string, reason: string): boolean {
    return this.endWhere((session) => session.id === sessionId, reason) > 0
  }

  endWhere(doomed: (session: LiveSession) => boolean, reason: string): number {
    const ended = this.live().filter(doomed)
    for (const session of ended) session.end(new Denied('session-ended', reason))
    return ended.length
  }

  definitionsChanged(): void {
    const definitions = this.#parts.definitions()
    this.endWhere((session) => {
      const target = definitions.targets.find((each) => each.name === session.target.name)
      return target === undefined || !definitions.granted(session.identity, target)
    }, 'the grant for this target was removed')
  }

  async stop(withinMs: number): Promise<void> {
    this.#stopping = true
    for (const server of this.#servers) server.close()
    this.endWhere(() => true, 'the gateway is stopping')
    const until = Date.now() + withinMs
    while ((this.#sessions.size > 0 || this.#sockets.size > 0) && Date.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20))
    for (const socket of this.#sockets) socket.destroy()
    for (const session of this.live()) await session.close('gateway stopped')
  }

  async #accept(socket: Socket, fixed: Protocol | undefined): Promise<void> {
    const { limits, log } = this.#parts
    socket.on('error', () => {})
    if (this.#stopping || this.#sockets.size >= limits.connections || this.#strangers >= limits.strangers) {
      log('warn', 'connection refused: too many at once', { connections: this.#sockets.size, strangers: this.#strangers })
      socket.destroy()
      return
    }
    this.#sockets.add(socket)
    this.#strangers += 1
    let stranger = true
    const known = onceOnly(() => {
      stranger = false
      this.#strangers -= 1
    })
    // A stranger whom we have hung up on keeps no place here by never closing its own end.
    socket.once('finish', () => stranger && setTimeout(() => socket.destroy(), goodbyeMs).unref())
    socket.once('close', () => {
      this.#sockets.delete(socket)
      known()
    })
    await this.#serve(socket, fixed, known)
  }

  async #serve(socket: Socket, fixed: Protocol | undefined, known: () => void): Promise<void> {
    const { limits, log, protocols } = this.#parts
    const facts = clientFacts(socket)
    try {
      const protocol = fixed ?? (await detectProtocol(socket, protocols, limits.loginMs))
      if (protocol === undefined) socket.destroy()
      else await protocol.serve({ stream: socket, facts }, this.#gate(known))
    } catch (error) {
      log('error', 'bug: a connection failed in an unexpected way', {
        client: facts.address,
        stack: error instanceof Error ? error.stack : String(error),
      })
      socket.destroy()
    }
  }

  /** `bounds`: the connection came inside another, which says whom it must be of and where it must lead. */
  #gate(known: () => void, bounds?: Bounds): Gate {
    const { tls, limits, authenticator, log } = this.#parts
    return {
      tls,
      limits,
      log,
      challenge: (user) => authenticator.challenge(user),
      admit: async (login, asking) => {
        const session = await this.#admit(login, asking, bounds)
        known()
        return session
      },
      identify: async (login) => {
        if (bounds !== undefined) throw new Denied('not-granted', 'no way leads on from here')
        const { identity } = await this.#prove(login)
        known()
        return identity
      },
      inside: ({ identity, client }, host, port) =>
        insideOf({ identity, client }, host, port, {
          definitions: this.#parts.definitions(),
          protocols: this.#parts.protocols,
          gate: (inner) => this.#gate(() => {}, inner),
        }),
      rejoin: (session) => {
        if (bounds !== undefined) holdWithin(bounds, session.identity, session.target)
        if (this.#sessions.has(session.id)) known()
      },
    }
  }

  #prove({ user, proof, client }: Omit<Login, 'target'>): Promise<Proved> {
    const { address, loopback, tls } = client
    return this.#parts.authenticator.prove({ user, proof, tls, loopback, address })
  }

  async #admit(login: Login, asking: Asking | undefined, bounds: Bounds | undefined): Promise<Session> {
    const { log } = this.#parts
    const { address } = login.client
    const proved = await this.#prove(login)
    const definitions = this.#parts.definitions()
    const target = findTarget(definitions.targets, login)
    // One message for "no such target" and "not granted": a stranger to a target learns nothing about it.
    if (target === undefined || !definitions.granted(proved.identity, target)) {
      log('warn', 'login denied: no such target or no grant', {
        identity: proved.identity.name,
        target: login.target,
        client: address,
      })
      throw new Denied(
        'not-granted',
        `no target ${login.target} for ${proved.identity.name}; see what you may reach with: sallyport targets`,
      )
    }
    if (bounds !== undefined) holdWithin(bounds, proved.identity, target)
    if (this.#stopping) throw new Denied('stopping', 'the gateway is stopping')
    return this.#open(login, proved, target, asking)
  }

  async #open(login: Login, proved: Proved, target: Target, asking: Asking | undefined): Promise<Session> {
    const { recorder, reviews, log } = this.#parts
    const id = newSessionId()
    const { identity } = proved
    const startedAt = microseconds()
    const base = { id, identity, target, client: login.client, startedAt }
    const recording = recorder.open(base, (error) => session.end(error))
    const judgeFor = this.#rememberedJudge(identity, target)
    const credential = (): Promise<Credential> => this.#parts.definitions().credentialFor(target)
    const hops = (): Promise<readonly Hop[]> => hopsTo(target, this.#parts.definitions())
    const expiry = proved.token === undefined ? undefined : this.#expiry(id, proved.token.expiresAt)
    const onClose = (): void => {
      clearTimeout(expiry)
      this.#sessions.delete(id)
      log('info', 'session closed', { session: id })
    }
    const session = new LiveSession({ ...base, tokenId: proved.token?.id, judgeFor, credential, hops, reviews, recording, onClose })
    this.#sessions.set(id, session)
    log('info', 'session opened', { session: id, identity: identity.name, target: target.name, client: login.client.address })
    await this.#judgeConnect(session, asking)
    return session
  }

  /** Connecting is a statement too. It is on record only where a rule had a say: the session itself says that it was opened. */
  async #judgeConnect(session: LiveSession, asking: Asking | undefined): Promise<void> {
    const statement: Statement = {
      id: 0,
      kind: 'connect',
      text: `connect to ${session.target.name}`,
      parameters: [],
      effects: [],
      held: true,
    }
    if (!session.ruledBy(statement)) return
    const ruling = await session.judge(statement, asking)
    if (ruling.kind === 'deny' || ruling.kind === 'mask') {
      await session.close('denied')
      const reason = ruling.kind === 'deny' ? ruling.reason : 'a connection cannot be masked'
      throw new Denied('connect-denied', `denied by rule ${ruling.rule ?? 'default'}: ${reason}`)
    }
  }

  /** The judge of this identity here, made again when the definitions were replaced. */
  #rememberedJudge(identity: Identity, target: Target): () => Judge {
    let definitions = this.#parts.definitions()
    let judge = definitions.judgeFor(identity, target)
    return () => {
      const now = this.#parts.definitions()
      if (now !== definitions) {
        definitions = now
        judge = now.judgeFor(identity, now.targets.find((each) => each.name === target.name) ?? target)
      }
      return judge
    }
  }

  #expiry(id: string, expiresAt: Date): NodeJS.Timeout {
    // setTimeout holds 2^31-1 ms at most; a token that lives longer is looked at again then.
    const leftMs = expiresAt.getTime() - Date.now()
    const step = Math.min(Math.max(leftMs, 0), 2 ** 31 - 1)
    return setTimeout(() => {
      if (leftMs <= step) this.end(id, 'the access token expired')
      else this.#expiry(id, expiresAt)
    }, step).unref()
  }
}

/** 100 bits, in lower case and digits: fits a URL, a shell and a search box. */
function newSessionId(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789'
  return `s${[...randomBytes(20)].map((byte) => alphabet[byte & 31]).join('')}`
}

/** For what was last said to arrive. */
const goodbyeMs = 2_000

/** A longer way is a mistake, and one without an end a loop: configurations with either are refused before. */
const mostHops = 4

/** The first to be met first. The way is the operator's: who may reach the target needs no grant for it, and gets nothing of it. */
async function hopsTo(target: Target, definitions: Definitions): Promise<readonly Hop[]> {
  const hops: Hop[] = []
  for (let { via } = target; via !== undefined;) {
    const name = via
    const hop = definitions.targets.find((each) => each.name === name && each.protocol === target.protocol)
    if (hop === undefined || hops.length >= mostHops)
      throw new Unreachable('target-unreachable', `the way to target ${target.name} leads through ${name}, and not on from there`)
    hops.unshift({ target: hop, credential: await definitions.credentialFor(hop) })
    ;({ via } = hop)
  }
  return hops
}

function findTarget(targets: readonly Target[], login: Login): Target | undefined {
  const ofProtocol = targets.filter((target) => target.protocol === login.protocol)
  const exact = ofProtocol.find((target) => target.name === login.target)
  if (exact !== undefined) return exact
  const inside = ofProtocol.find((target) => login.target.startsWith(`${target.name}.`))
  if (inside === undefined) return undefined
  const database = login.target.slice(inside.name.length + 1)
  if (database === inside.database) return inside
  return matchesAnyName(inside.databases, database) ? { ...inside, database } : undefined
}

function clientFacts(socket: Socket): ClientFacts {
  const address = socket.remoteAddress ?? ''
  const bare = address.replace(/^::ffff:/, '')
  return { address: `${bare}:${socket.remotePort ?? 0}`, loopback: bare === '::1' || bare.startsWith('127.'), tls: false }
}

function onceOnly(act: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    act()
  }
}

function startListening(server: Server, address: string): Promise<void> {
  const { host, port } = splitAddress(address)
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'something else listens there already' : cause.message
      reject(new Misconfigured('cannot-listen', `cannot listen on ${address}: ${why}`, { cause }))
    })
    server.listen({ host, port, backlog: 511 }, resolve)
  })
}
