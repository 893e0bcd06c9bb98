// The gateway as a jump host (ssh -J): the outer connection says who calls, and opens channels to targets by name. What a client speaks on such a
// channel is SSH again. It ends here too: an inner login, by the same identity, to a session that is judged and recorded like any other.

import type { Duplex } from 'node:stream'
import type { Identity } from '@sallyport/core'
import type { Connection } from 'ssh2'
import { detached } from './detached.js'

/** What an inner connection is already known to be. */
export interface Jump {
  /** The target that the channel was opened to. */
  readonly target: string
  /** Whom the outer connection is of; the inner login must be of them as well. */
  readonly caller: Identity
}

export interface JumpHost {
  readonly caller: Identity
  /** Serves an inner connection to its end. Never rejects. */
  readonly serve: (stream: Duplex, jump: Jump) => Promise<void>
  /** Nothing is open, and nothing was for a while. */
  readonly hangUp: () => void
  readonly idleMs: number
}

/** Each is a whole SSH server. Tools open a connection a host, or a few at once over one. */
const mostOpen = 32
/** Names as the configuration has them. What is no name of a target is not looked for: this is no way to other hosts. */
const targetName = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/

/** The port means nothing: a target has one, and the client need not know it. */
export function serveJumps(connection: Connection, { caller, serve, hangUp, idleMs }: JumpHost): () => void {
  let open = 0
  let idle = setTimeout(hangUp, idleMs)
  connection.on('tcpip', (accept, reject, { destIP: target }) => {
    if (!targetName.test(target) || open >= mostOpen) return reject()
    clearTimeout(idle)
    open += 1
    void serve(detached(accept()), { target, caller }).finally(() => {
      open -= 1
      if (open === 0) idle = setTimeout(hangUp, idleMs)
    })
  })
  return () => clearTimeout(idle)
}
