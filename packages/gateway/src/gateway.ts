// Accept, detect the protocol, serve, hang up. The life of every connection starts and ends here.

import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { Denied, Misconfigured } from '@sallyport/core'
import type {
  ClientFacts,
  Credential,
  Gate,
  GatewayTls,
  Identity,
  Judge,
  Proof,
  Protocol,
  Recorder,
  ScramChallenge,
  Target,
} from '@sallyport/core'
import { detectProtocol } from './detect.js'
import { splitAddress } from './dialing.js'
import { holdWithin, insideOf } from './inside.js'
import type { Bounds } from './inside.js'
import type { LiveSession, Reviews } from './session.js'
import { Sessions } from './sessions.js'

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
  /** Cuts the live sessions whose grant is gone, and those whose target is elsewhere now; answers how many. */
  definitionsChanged(): number
  stop(withinMs: number): Promise<void>
}

export function createGateway(parts: GatewayParts): Gateway {
  return new Node(parts)
}

class Node implements Gateway {
  readonly #parts: GatewayParts
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #sessions: Sessions
  #strangers = 0
  /** Since the log last said so. */
  #refused = 0
  #stopping = false

  constructor(parts: GatewayParts) {
    this.#parts = parts
    this.#sessions = new Sessions(parts)
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
    return this.#sessions.live()
  }

  end(sessionId: string, reason: string): boolean {
    return this.endWhere(({ id }) => id === sessionId, reason) > 0
  }

  endWhere(doomed: (session: LiveSession) => boolean, reason: string): number {
    return this.#sessions.endWhere(doomed, reason)
  }

  definitionsChanged(): number {
    return this.#sessions.definitionsChanged()
  }

  async stop(withinMs: number): Promise<void> {
    this.#stopping = true
    for (const server of this.#servers) server.close()
    this.#sessions.stop()
    const until = performance.now() + withinMs
    while ((this.#sessions.size > 0 || this.#sockets.size > 0) && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 20))
    for (const socket of this.#sockets) socket.destroy()
    await this.#sessions.closeAll()
  }

  async #accept(socket: Socket, fixed: Protocol | undefined): Promise<void> {
    const { limits } = this.#parts
    socket.on('error', () => {})
    if (this.#stopping || this.#sockets.size >= limits.connections || this.#strangers >= limits.strangers)
      return this.#refuse(socket)
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

  /** A flood of connections must not become one of the log. */
  #refuse(socket: Socket): void {
    socket.destroy()
    this.#refused += 1
    if (this.#refused > 1) return
    setTimeout(() => {
      const counts = { refused: this.#refused, connections: this.#sockets.size, strangers: this.#strangers }
      this.#parts.log('warn', 'connections refused: too many at once', counts)
      this.#refused = 0
    }, refusalsMs).unref()
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
        const session = await this.#sessions.admit(login, asking, bounds)
        known()
        return session
      },
      identify: async (login) => {
        if (bounds !== undefined) throw new Denied('not-granted', 'no way leads on from here')
        const { identity } = await this.#sessions.prove(login)
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
}

/** Connections that are refused within this are one line of the log. */
const refusalsMs = 1_000
/** For what was last said to arrive. */
const goodbyeMs = 2_000

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
