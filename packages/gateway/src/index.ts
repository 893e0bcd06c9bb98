// The life of one connection: accept, detect the protocol, admit, session, close.

export * from './certificates.js'
export * from './gateway.js'
export { LiveSession, splitAddress } from './session.js'
export type { Reviews, SessionParts, Settlement } from './session.js'
