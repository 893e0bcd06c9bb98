// Plays transcripts against a Wire. Imported by tests only.

export * from './noise.js'
export * from './transcript.js'
