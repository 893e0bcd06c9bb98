// A process that is killed (SIGKILL) while it records: whatever it was told is settled must be in the spool.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { decodeFrame, framesOf } from './decode.js'
import { temporaryHome } from './samples.fixture.js'
import { SpoolReader } from './spool-reader.js'

const built = pathToFileURL(join(import.meta.dirname, '../dist/')).href

/** Writes without end and says, on a pipe, how far it has settled. */
const program = (home: string): string => `
import { writeSync } from 'node:fs'
import { openRecorder } from '${built}index.js'
import { exchange, recordedSession } from '${built}samples.fixture.js'
const startShipper = () => ({
  order() {}, onEnd() {}, terminate: () => Promise.resolve(),
  onReport: (listener) => queueMicrotask(() => listener({ kind: 'ready', position: 0 })),
})
const recorder = await openRecorder({ home: ${JSON.stringify(home)}, node: 'n1', startShipper, log() {} })
const recording = recorder.open(recordedSession('s1'), () => undefined)
for (let number = 1; ; number++) {
  for (const frame of exchange(number, 'x'.repeat(number * 37 % 5000))) recording.append(frame)
  recording.settled()
  writeSync(1, number + '\\n')
}`

function outcomes(home: string): number[] {
  const reader = new SpoolReader(join(home, 'spool'), 0)
  const found: number[] = []
  for (let read = reader.next(); read.kind === 'batch'; read = reader.next()) {
    for (let at = 0; at < read.frames.length;) {
      const [bytes] = framesOf(read.frames.subarray(at + 4))
      if (bytes === undefined) break
      const frame = decodeFrame(bytes)
      if (frame.kind === 'outcome') found.push(frame.statement)
      at += 4 + bytes.length
    }
  }
  reader.close()
  return found
}

it.each([5, 60, 150])('loses nothing that settled, killed %i ms after its first word', async (afterMs) => {
  const home = temporaryHome()
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(home)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => {
    if (said === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
    said += chunk.toString()
  })
  await new Promise((resolve) => child.once('close', resolve))
  expect(child.signalCode).toBe('SIGKILL')
  const settled = Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1))
  const kept = outcomes(home)
  expect(settled).toBeGreaterThan(10)
  expect(kept.length).toBeGreaterThanOrEqual(settled)
  expect(kept).toEqual(kept.map((_, index) => index + 1))
})
