// Rules, identity, target and statement in; a verdict out. Pure, synchronous, total.

export * from './duration.js'
export * from './explain.js'
export * from './fault.js'
export * from './never-matches.js'
export * from './policy.js'
export * from './schema.js'
export { isGranted } from './who-where.js'
