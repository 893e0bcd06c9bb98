// The machine against its transcripts: whole, byte by byte, and cut at every point. And against noise.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isKnownError } from '@sallyport/core'
import { byteByByte, cutAt, play, readTranscripts, whole } from '@sallyport/testkit'
import { describe, expect, it } from 'vitest'
import { notation } from './notation.fixture.js'
import { PostgresWire } from './wire.js'

const folder = fileURLToPath(new URL('../transcripts/', import.meta.url))

describe.each(readdirSync(folder))('%s', (file) => {
  const transcripts = readTranscripts(readFileSync(`${folder}/${file}`, 'utf8'))
  it.each(transcripts)('$title', (transcript) => {
    play(transcript, notation, whole)
    play(transcript, notation, byteByByte)
    const longest = 600
    for (let at = 1; at < longest; at += 1) play(transcript, notation, cutAt(at))
  })
})

/** A small linear congruential generator: the same noise every run. */
function noise(seed: number): () => number {
  let state = seed
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0)
}

describe('noise', () => {
  it('throws nothing but what it says it throws, whatever the bytes', () => {
    const messages = readdirSync(folder)
      .flatMap((file) => readTranscripts(readFileSync(`${folder}/${file}`, 'utf8')))
      .flatMap((transcript) => transcript.lines)
    const inputs = messages.flatMap(({ mark, text }) =>
      mark === 'C>' || mark === 'U>' ? [{ from: mark === 'C>' ? ('client' as const) : ('upstream' as const), text }] : [],
    )
    for (let round = 0; round < 3_000; round += 1) {
      const next = noise(round)
      const wire = new PostgresWire()
      try {
        for (let count = 0; count < 6; count += 1) {
          const { from, text } = inputs[next() % inputs.length]
          const bytes = Buffer.from(notation.encode(from, from === 'client' ? 'upstream' : 'client', text))
          if (bytes.length > 0 && next() % 3 === 0) bytes[next() % bytes.length] = next() & 0xff
          let steps = wire.receive(from, bytes)
          for (let last = steps[steps.length - 1]; last?.kind === 'judge'; last = steps[steps.length - 1]) {
            steps = wire.rule(notation.answer(['allow', 'deny', 'copy', 'upto 1'][next() % 4], count))
          }
        }
      } catch (error) {
        expect(isKnownError(error), String(error)).toBe(true)
      }
    }
  })

  it('lets nothing of a held statement out before its ruling', () => {
    const wire = new PostgresWire()
    const steps = wire.receive('client', notation.encode('client', 'upstream', 'Query "select 1"'))
    expect(steps.map((step) => step.kind)).toEqual(['judge'])
    expect(wire.receive('client', notation.encode('client', 'upstream', 'Query "select 2"'))).toEqual([])
    expect(wire.held).toBeGreaterThan(0)
  })
})
