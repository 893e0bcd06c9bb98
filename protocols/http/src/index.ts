// HTTP: callers' connections to the parsers of Node, and each request through the gateway to its target. Everything else in this room
// serves the exchange.

import type { Protocol } from '@sallyport/core'
import { readClientHello } from '@sallyport/wire'
import type { Targets } from './routing.js'
import { Servers } from './servers.js'
import { Sessions } from './sessions.js'
import { ToolLists } from './tool-lists.js'
import type { ToolMemory } from './tool-lists.js'
import { explained } from './explained.js'
import { transcribe } from './transcribe.js'

export { describedFaults } from './describing.js'
export { toHar } from './har.js'

export interface HttpOptions {
  /** All targets of the configuration, at this moment. */
  readonly targets: Targets
  /** Secret of this installation: makes `hash` masks that stay the same over sessions. */
  readonly salt: string
  readonly toolMemory: ToolMemory
}

const tlsRecord = 0x16
/** PRI opens HTTP/2 (RFC 9113, section 3.4). */
const methods =
  'GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH QUERY PRI'.split(
    ' ',
  )

export function http(options: HttpOptions): Protocol {
  const { targets, salt, toolMemory } = options
  const servers = new Servers({ targets, salt, sessions: new Sessions(), tools: new ToolLists(toolMemory) })
  return {
    name: 'http',
    speaksFirst: false,
    recognises,
    serve: (client, gate) => servers.serve(client, { gate, facts: client.facts, joined: () => {} }),
    transcribe,
    understand: (text, { target }) => Promise.resolve(explained(text, target)),
  }
}

/** A method, or TLS inside which nobody asked for Postgres. */
export function recognises(first: Uint8Array): 'yes' | 'no' | 'more' {
  if (first[0] === tlsRecord) {
    const hello = readClientHello(first)
    if (hello.kind === 'more') return 'more'
    return hello.kind === 'hello' && !hello.protocols.includes('postgresql') ? 'yes' : 'no'
  }
  const text = Buffer.from(first.subarray(0, 12)).toString('latin1')
  if (methods.some((method) => text.startsWith(`${method} `))) return 'yes'
  return methods.some((method) => `${method} `.startsWith(text)) ? 'more' : 'no'
}
