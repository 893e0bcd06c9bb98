// Asks people about a statement and waits for them.

export { adminMark, bindingOf } from './quorum.js'
export type { Reviewer } from './quorum.js'
export type { Decision, ReviewRecord, ReviewState, ReviewTable, Settlement } from './review.js'
export * from './reviews.js'
