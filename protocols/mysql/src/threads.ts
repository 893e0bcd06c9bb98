// KILL arrives on a connection of its own and names a thread. The ids that clients are given are ours; whoever they name is one's own, or nobody.

import type { Session } from '@sallyport/core'

export interface Thread {
  readonly session: Session
  /** The target's id: what `SELECT CONNECTION_ID()` tells. */
  readonly upstreamId: number
  /** Stops the statement that runs. */
  readonly cancel: () => void
  /** Ends the session. */
  readonly end: () => void
}

/** CLIENT ids have 32 bits. */
const idLimit = 2 ** 32

export class Threads {
  readonly #live = new Map<number, Thread>()
  #last = 0

  nextId(): number {
    do this.#last = (this.#last + 1) % idLimit
    while (this.#last === 0 || this.#live.has(this.#last))
    return this.#last
  }

  add(id: number, thread: Thread): () => void {
    this.#live.set(id, thread)
    return () => this.#live.delete(id)
  }

  /** Only sessions of the same identity at the same target can be named; false: there is none of that id. */
  kill(by: Session, id: number, what: 'query' | 'connection'): boolean {
    const own = (thread: Thread): boolean =>
      thread.session.identity.id === by.identity.id && thread.session.target.name === by.target.name
    const named = this.#live.get(id)
    const found =
      named !== undefined && own(named) ? named : [...this.#live.values()].find((thread) => thread.upstreamId === id && own(thread))
    if (found === undefined) return false
    if (what === 'query') found.cancel()
    else found.end()
    return true
  }
}
