// A command line to every program it would start, every file it would touch, and every SQL text it would send.

export { createCommandReader, understandCommand } from './understand.js'
export type { CommandUnderstanding, SqlText, Transfer } from './understand.js'
export { fileCandidates, resolvePath } from './paths.js'
