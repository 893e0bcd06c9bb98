// The life of one connection: accept, detect the protocol, admit, session, close.

export * from './certificates.js'
export * from './gateway.js'
export { splitAddress } from './dialing.js'
export { LiveSession } from './session.js'
export type { Reviews, SessionParts } from './session.js'
