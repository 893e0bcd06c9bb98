// One session for an identity at a target, over all its connections, until nothing was asked for five minutes.

import { hash } from 'node:crypto'
import { Denied, secret } from '@sallyport/core'
import type { ClientFacts, Gate, Session } from '@sallyport/core'
import { StoredCredential } from './credential.js'
import { Holding } from './holding.js'
import { maxExchanges, maxSessions, quietMs } from './limits.js'
import type { Shown } from './routing.js'
import { Upstream } from './upstream.js'

/** A session and what belongs to it. */
export class Place {
  readonly session: Session
  readonly stored: StoredCredential
  readonly upstream: Upstream
  readonly held = new Holding()
  #next = 1
  #running = 0
  #quiet: NodeJS.Timeout | undefined
  #over = false
  readonly #end: (outcome: string) => void

  constructor(session: Session, onOver: (place: Place, outcome: string) => void) {
    this.session = session
    this.stored = new StoredCredential(() => session.credential())
    this.upstream = new Upstream(session, this.stored)
    this.#end = (outcome) => {
      if (this.#over) return
      this.#over = true
      clearTimeout(this.#quiet)
      this.held.stop()
      this.upstream.close()
      onOver(this, outcome)
    }
    session.signal.addEventListener('abort', () => this.#end(this.#reason()), { once: true })
    if (session.signal.aborted) this.#end(this.#reason())
    this.#wait()
  }

  get over(): boolean {
    return this.#over
  }

  nextStatement(): number {
    return this.#next++
  }

  /** Throws Denied where too many run already. The answer ends it. */
  begin(): () => void {
    if (this.#running >= maxExchanges) throw new Denied('too-many-requests', 'too many requests of this session run at once')
    this.#running += 1
    clearTimeout(this.#quiet)
    let ended = false
    return () => {
      if (ended) return
      ended = true
      this.#running -= 1
      this.#wait()
    }
  }

  #wait(): void {
    clearTimeout(this.#quiet)
    if (this.#running > 0 || this.#over) return
    this.#quiet = setTimeout(() => (this.held.waiting ? this.#wait() : this.#end('quiet')), quietMs)
    this.#quiet.unref()
  }

  #reason(): string {
    const reason: unknown = this.session.signal.reason
    return reason instanceof Denied ? reason.message : 'ended'
  }
}

export class Sessions {
  readonly #places = new Map<string, Promise<Place>>()

  /** The session this proof has here, or a new one. Throws Denied. */
  async enter(shown: Shown, target: string, client: ClientFacts, gate: Gate): Promise<Place> {
    const key = keyOf(shown, target, client)
    // Another may have opened one while this waited for one that was over.
    for (let known = this.#places.get(key); known !== undefined; known = this.#places.get(key)) {
      const place = await known
      if (!place.over) {
        gate.rejoin(place.session)
        return place
      }
      this.#forget(key, known)
    }
    if (this.#places.size >= maxSessions) throw new Denied('stopping', 'too many sessions at once')
    const opened = this.#open(key, shown, target, client, gate)
    this.#places.set(key, opened)
    opened.catch(() => this.#forget(key, opened))
    return opened
  }

  async #open(key: string, shown: Shown, target: string, client: ClientFacts, gate: Gate): Promise<Place> {
    const proof = { kind: 'token', token: secret(shown.token) } as const
    const session = await gate.admit({ user: shown.user, target, protocol: 'http', proof, client })
    return new Place(session, (place, outcome) => {
      const kept = this.#places.get(key)
      void kept?.then((found) => found === place && this.#forget(key, kept)).catch(() => {})
      session
        .close(outcome)
        .catch((error: unknown) => gate.log('error', 'the record was not closed', { session: session.id, reason: String(error) }))
    })
  }

  #forget(key: string, place: Promise<Place>): void {
    if (this.#places.get(key) === place) this.#places.delete(key)
  }
}

/** The token itself is not kept, and another token, another host or a worse protected connection is another session. */
function keyOf(shown: Shown, target: string, client: ClientFacts): string {
  const host = client.address.slice(0, client.address.lastIndexOf(':'))
  return hash('sha256', JSON.stringify([shown.user, shown.token, target, host, client.tls, client.loopback]), 'base64')
}
