// A caller's connection: what it speaks, and how it is handed to the parsers of Node.

import type { ClientFacts, Gate, Session, Target } from '@sallyport/core'
import type { Shown, Targets } from './routing.js'
import type { Sessions } from './sessions.js'
import type { ToolLists } from './tool-lists.js'

export interface Connection {
  readonly gate: Gate
  readonly facts: ClientFacts
  /** Told of each session that this connection asks for. */
  readonly joined: (session: Session) => void
  /** Inside a CONNECT: its target, and who asked for it. */
  readonly fixed?: { readonly target: Target; readonly shown: Shown }
}

/** What all connections have in common. */
export interface Shared {
  readonly targets: Targets
  readonly sessions: Sessions
  readonly tools: ToolLists
  /** Secret of this installation: makes `hash` masks that stay the same over sessions. */
  readonly salt: string
}
