// The machine against its transcripts: whole, byte by byte, and cut at every point. And against noise.

import { fileURLToPath } from 'node:url'
import { isKnownError } from '@sallyport/core'
import { noise, noisyInputs, playHoweverCut, readTranscriptFolder } from '@sallyport/testkit'
import { describe, expect, it } from 'vitest'
import { notation } from './notation.fixture.js'
import { PostgresWire } from './wire.js'

const files = readTranscriptFolder(fileURLToPath(new URL('../transcripts/', import.meta.url)))

describe.each(files)('$file', ({ transcripts }) => {
  it.each(transcripts)('$title', (transcript) => {
    playHoweverCut(transcript, notation, 600)
  })
})

describe('noise', () => {
  it('throws nothing but what it says it throws, whatever the bytes', () => {
    const transcripts = files.flatMap((file) => file.transcripts)
    const draw = noisyInputs(transcripts, notation)
    for (let round = 0; round < 3_000; round += 1) {
      const next = noise(round)
      const wire = new PostgresWire()
      const arrive = (): ReturnType<PostgresWire['receive']> => {
        const { from, bytes } = draw(next)
        return wire.receive(from, bytes)
      }
      try {
        for (let count = 0; count < 6; count += 1) {
          let steps = arrive()
          for (let last = steps[steps.length - 1]; last?.kind === 'judge'; last = steps[steps.length - 1]) {
            // Answers may take their time; meanwhile both sides go on, and nothing more is asked.
            while (next() % 3 === 0) expect(arrive().every((step) => step.kind !== 'judge')).toBe(true)
            steps = wire.rule(notation.answer(['allow', 'deny', 'copy', 'upto 1'][next() % 4], count))
          }
        }
      } catch (error) {
        expect(isKnownError(error), String(error)).toBe(true)
      }
    }
  })

  it('drops a message that was held while the server began to skip up to Sync', () => {
    const wire = new PostgresWire()
    const from = (side: 'client' | 'upstream', text: string): Buffer => notation.encode(side, side, text)
    wire.receive('client', from('client', 'Parse "s", "select 1"'))
    wire.rule(notation.answer('allow', 0))
    wire.receive('client', from('client', 'Sync'))
    wire.receive('upstream', Buffer.concat([from('upstream', 'ParseComplete'), from('upstream', 'ReadyForQuery "I"')]))
    wire.receive('client', Buffer.concat(['Bind "", "s"', 'Execute "", 0', 'Sync'].map((text) => from('client', text))))
    wire.receive('upstream', from('upstream', 'ErrorResponse "0A000", "cached plan must not change result type"'))
    const steps = wire.rule(notation.answer('allow', 1))
    expect(steps).toEqual([
      { kind: 'outcome', outcome: expect.objectContaining({ statement: 1, error: expect.stringContaining('not run') }) },
      { kind: 'send', to: 'upstream', bytes: from('client', 'Sync') },
    ])
    expect(wire.receive('upstream', from('upstream', 'ReadyForQuery "I"'))).toHaveLength(1)
  })

  it('lets nothing of a held statement out before its ruling', () => {
    const wire = new PostgresWire()
    const steps = wire.receive('client', notation.encode('client', 'upstream', 'Query "select 1"'))
    expect(steps.map((step) => step.kind)).toEqual(['judge'])
    expect(wire.receive('client', notation.encode('client', 'upstream', 'Query "select 2"'))).toEqual([])
    expect(wire.held).toBeGreaterThan(0)
  })
})
