// The machine against its transcripts: whole, byte by byte, and cut at every point. And against noise.

import { fileURLToPath } from 'node:url'
import { isKnownError } from '@sallyport/core'
import { noise, noisyInputs, playHoweverCut, readTranscriptFolder } from '@sallyport/testkit'
import { describe, expect, it } from 'vitest'
import { notation } from './notation.fixture.js'
import { command, maxPacketBytes, packets } from './packets.js'
import { MysqlWire } from './wire.js'

const files = readTranscriptFolder(fileURLToPath(new URL('../transcripts/', import.meta.url)))
const newWire = (): MysqlWire =>
  new MysqlWire({ deprecateEof: true, pins: { afresh: 'SET PINS', kept: 'KEEP PINS' }, database: () => 'shop' })

describe.each(files)('$file', ({ transcripts }) => {
  it.each(transcripts)('$title', (transcript) => {
    playHoweverCut(transcript, notation, 400)
  })
})

describe('noise', () => {
  it('throws nothing but what it says it throws, whatever the bytes', () => {
    const transcripts = files.flatMap((file) => file.transcripts)
    const draw = noisyInputs(transcripts, notation)
    for (let round = 0; round < 4_000; round += 1) {
      const next = noise(round)
      const wire = newWire()
      try {
        for (let count = 0; count < 8; count += 1) {
          const { from, bytes } = draw(next)
          let steps = wire.receive(from, bytes)
          for (let last = steps[steps.length - 1]; last?.kind === 'judge'; last = steps[steps.length - 1]) {
            // A command that is never let through is never allowed.
            const said = last.question.form === 'command' ? 'deny' : (['allow', 'deny', 'unsettle', 'upto 1'][next() % 4] ?? '')
            steps = wire.rule(notation.answer(said, count))
          }
        }
      } catch (error) {
        expect(isKnownError(error), String(error)).toBe(true)
      }
    }
  })
})

it('awaits the OK after OUT parameters, which MySQL does not announce in the old form of results', () => {
  const wire = new MysqlWire({ deprecateEof: false, pins: { afresh: '', kept: '' }, database: () => '' })
  wire.receive('client', notation.encode('client', 'upstream', 'Query "call p()"'))
  wire.rule(notation.answer('allow', 1))
  const rows = ['01', '0364656600000001620001620c3f000b00000003800000000000', 'fe00000a10', '000008', 'fe00000200']
  wire.receive('upstream', Buffer.concat(rows.map((hex, at) => packets(at + 1, Buffer.from(hex, 'hex')))))
  expect(wire.running).toBe(true)
  wire.receive('upstream', packets(6, Buffer.from('00000002000000', 'hex')))
  expect(wire.running).toBe(false)
})

describe('a held command', () => {
  it('lets nothing out before its ruling', () => {
    const wire = newWire()
    expect(wire.receive('client', notation.encode('client', 'upstream', 'Query "select 1"')).map((step) => step.kind)).toEqual([
      'judge',
    ])
    expect(wire.receive('client', notation.encode('client', 'upstream', 'Query "select 2"'))).toEqual([])
    expect(wire.held).toBeGreaterThan(0)
  })

  it.each([-1, 0, 1])('of the longest packet and %i bytes is joined, split again, and its answer renumbered', (more) => {
    const wire = newWire()
    const sql = Buffer.concat([Buffer.from([command.query]), Buffer.alloc(maxPacketBytes + more - 1, 0x20)])
    const [question] = wire.receive('client', packets(0, sql))
    expect(question?.kind).toBe('judge')
    const [sent] = wire.rule(notation.answer('rewrite "do 1"', 1))
    expect(sent).toEqual({ kind: 'send', to: 'upstream', bytes: notation.encode('client', 'upstream', 'Query "do 1"') })
    // The client counts its own packets: two where the text was at least the longest.
    const [back] = wire.receive('upstream', notation.encode('upstream', 'client', 'Ok 1'))
    expect(back).toEqual({ kind: 'send', to: 'client', bytes: notation.encode('upstream', 'client', `Ok ${more < 0 ? 1 : 2}`) })
  })

  it('waits until a cancel has been delivered', () => {
    const wire = newWire()
    wire.hold()
    expect(wire.receive('client', notation.encode('client', 'upstream', 'Query "select 1"'))).toEqual([])
    expect(wire.release().map((step) => step.kind)).toEqual(['judge'])
  })

  it('is refused where it is longer than may be held', () => {
    const wire = newWire()
    const head = packets(0, Buffer.alloc(maxPacketBytes)).subarray(0, 4 + maxPacketBytes)
    expect(() => {
      for (let count = 0; count < 6; count += 1) {
        const next = Buffer.from(head)
        next[3] = count
        wire.receive('client', next)
      }
    }).toThrow(/longer than/)
  })
})
