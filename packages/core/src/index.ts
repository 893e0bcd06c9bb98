// The nouns everyone may import. Types and tiny pure functions; imports nothing of ours.

export * from './denial.js'
export * from './errors.js'
export * from './frame.js'
export * from './identity.js'
export * from './names.js'
export * from './rate-limit.js'
export * from './remembered.js'
export * from './ruling.js'
export * from './secret.js'
export * from './session.js'
export * from './statement.js'
export * from './target.js'
