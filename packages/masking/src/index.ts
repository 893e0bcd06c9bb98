// Masks for what comes back as text: JSON by field and by what a value looks like, server-sent events, CSV by column.

export { isJsonLines, maskBody } from './body.js'
export type { BodyMask } from './body.js'
export { Unmaskable } from './unmaskable.js'
export { JsonLines } from './json-lines.js'
export { Masker } from './masker.js'
export { repeatsKeys } from './repeated-keys.js'
export { SseEvents } from './sse.js'
export { ToldInPieces } from './told-in-pieces.js'
