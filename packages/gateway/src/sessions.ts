// The sessions that live: how one begins (who, where, whether granted, recorded, ruled on) and what ends it before its client does.

import { randomBytes } from 'node:crypto'
import { Denied, microseconds } from '@sallyport/core'
import type { Asking, Credential, Hop, Identity, Judge, Login, Session, Statement, Target } from '@sallyport/core'
import type { GatewayParts, Proved } from './gateway.js'
import { holdWithin } from './inside.js'
import type { Bounds } from './inside.js'
import { LiveSession } from './session.js'
import { hopsTo, isSameWay, targetOf } from './ways.js'

type SessionsParts = Pick<GatewayParts, 'authenticator' | 'recorder' | 'reviews' | 'definitions' | 'log'>

export class Sessions {
  readonly #parts: SessionsParts
  readonly #sessions = new Map<string, LiveSession>()
  #stopping = false

  constructor(parts: SessionsParts) {
    this.#parts = parts
  }

  has(id: string): boolean {
    return this.#sessions.has(id)
  }

  get size(): number {
    return this.#sessions.size
  }

  /** None begins any more, and all that live are told to end. */
  stop(): void {
    this.#stopping = true
    this.endWhere(() => true, 'the gateway is stopping')
  }

  /** The records of those that did not end by themselves. */
  async closeAll(): Promise<void> {
    for (const closed of await Promise.allSettled(this.live().map((session) => session.close('gateway stopped'))))
      if (closed.status === 'rejected') this.#parts.log('error', 'a record was not closed', { reason: String(closed.reason) })
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

  definitionsChanged(): number {
    const definitions = this.#parts.definitions()
    const now = (session: LiveSession): Target | undefined => definitions.targets.find(({ name }) => name === session.target.name)
    const ungranted = (session: LiveSession): boolean => {
      const target = now(session)
      return target === undefined || !definitions.granted(session.identity, target)
    }
    // Its credential would be shown to another host than it is meant for now.
    const elsewhere = (session: LiveSession): boolean => {
      const target = now(session)
      return target !== undefined && !isSameWay(session.target, target)
    }
    return (
      this.endWhere(ungranted, 'the grant for this target was removed') +
      this.endWhere((session) => !session.signal.aborted && elsewhere(session), 'this target was changed; connect again')
    )
  }

  prove({ user, proof, client }: Omit<Login, 'target'>): Promise<Proved> {
    const { address, loopback, tls } = client
    return this.#parts.authenticator.prove({ user, proof, tls, loopback, address })
  }

  async admit(login: Login, asking: Asking | undefined, bounds: Bounds | undefined): Promise<Session> {
    const { log } = this.#parts
    const { address } = login.client
    const proved = await this.prove(login)
    const definitions = this.#parts.definitions()
    const target = targetOf(definitions.targets, login)
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
    const forgetExpiry = proved.token === undefined ? undefined : this.#endAt(id, proved.token.expiresAt)
    const onClose = (): void => {
      forgetExpiry?.()
      this.#sessions.delete(id)
      log('info', 'session closed', { session: id })
    }
    const session = new LiveSession({ ...base, tokenId: proved.token?.id, judgeFor, credential, hops, reviews, recording, onClose })
    this.#sessions.set(id, session)
    log('info', 'session opened', { session: id, identity: identity.name, target: target.name, client: login.client.address })
    try {
      await this.#judgeConnect(session, asking)
    } catch (error) {
      // Nobody else knows of it yet.
      await session.close(error instanceof Denied ? 'denied' : 'gateway fault')
      throw error
    }
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

  /** Answers how to forget it. */
  #endAt(id: string, expiresAt: Date): () => void {
    const look = (): void => {
      const leftMs = expiresAt.getTime() - Date.now()
      if (leftMs <= 0) this.end(id, 'the access token expired')
      else timer = setTimeout(look, Math.min(leftMs, expiryLookMs)).unref()
    }
    let timer = setTimeout(look, 0).unref()
    return () => clearTimeout(timer)
  }
}

/** Timers stand still while a machine sleeps, and know nothing of a clock that was set: what is to expire is looked at this often. */
const expiryLookMs = 60_000

/** 100 bits, in lower case and digits: fits a URL, a shell and a search box. */
function newSessionId(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789'
  return `s${[...randomBytes(20)].map((byte) => alphabet[byte & 31]).join('')}`
}
