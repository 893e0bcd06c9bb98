// Transcripts' own messages in any order, some of them damaged: what a machine must bear without a fault that is not its peers'.

import type { Side } from '@sallyport/core'
import type { Notation, Transcript } from './transcript.js'

/** A small linear congruential generator: the same noise every run. */
export function noise(seed: number): () => number {
  let state = seed
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0)
}

export type Dice = (sides: number) => number

/** From 0 on; the low bits of the generator are not by chance. */
export function dice(seed: number): Dice {
  const next = noise(seed)
  return (sides) => (next() >>> 8) % sides
}

export function oneOf<T>(roll: Dice, all: readonly T[]): T {
  const drawn = all[roll(all.length)]
  if (drawn === undefined && all.length === 0) throw new Error('there is nothing to draw from')
  return drawn as T
}

export interface NoisyInput {
  readonly from: Side
  readonly bytes: Buffer
}

/** Draws a message of these transcripts; in one of three a byte is changed. */
export function noisyInputs<Question, Answer>(
  transcripts: readonly Transcript[],
  { encode }: Notation<Question, Answer>,
): (next: () => number) => NoisyInput {
  const sides: Readonly<Partial<Record<Transcript['lines'][number]['mark'], Side>>> = { 'C>': 'client', 'U>': 'upstream' }
  const inputs = transcripts
    .flatMap(({ lines }) => lines)
    .flatMap(({ mark, text }) => {
      const from = sides[mark]
      return from === undefined ? [] : [{ from, text }]
    })
  return (next) => {
    const input = inputs[next() % inputs.length]
    if (input === undefined) throw new Error('the transcripts hold no input')
    const { from, text } = input
    const bytes = Buffer.from(encode(from, from === 'client' ? 'upstream' : 'client', text))
    if (bytes.length > 0 && next() % 3 === 0) bytes[next() % bytes.length] = next() & 0xff
    return { from, bytes }
  }
}
