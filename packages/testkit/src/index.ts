// Plays transcripts against a Wire. Imported by tests only.

export * from './transcript.js'
