// Asks people about a statement and waits for them.

export { adminMark, bindingOf } from './quorum.js'
export type { Reviewer } from './quorum.js'
export type { ReviewTable } from './review.js'
export * from './reviews.js'
