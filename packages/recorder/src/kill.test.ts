// A process that is killed (SIGKILL) while it records: whatever it was told is settled must be in the spool.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { decodeFrame, framesOf } from './decode.js'
import { temporaryHome } from './samples.fixture.js'
import { SpoolReader } from './spool-reader.js'

const built = pathToFileURL(join(import.meta.dirname, '../dist/')).href

/** Writes without end and notes in a file how far it has settled: a pipe that is full would end it before its time. */
const program = (home: string): string => `
import { openSync, writeSync } from 'node:fs'
import { openRecorder } from '${built}index.js'
import { exchange, recordedSession } from '${built}samples.fixture.js'
const startShipper = () => ({
  order() {}, onEnd() {}, terminate: () => Promise.resolve(),
  onReport: (listener) => queueMicrotask(() => listener({ kind: 'ready', position: 0 })),
})
const recorder = await openRecorder({ home: ${JSON.stringify(home)}, node: 'n1', startShipper, log() {} })
const recording = recorder.open(recordedSession('s1'), () => undefined)
const settled = openSync(${JSON.stringify(join(home, 'settled'))}, 'w')
for (let number = 1; ; number++) {
  for (const frame of exchange(number, 'x'.repeat(number * 37 % 5000))) recording.append(frame)
  recording.settled()
  writeSync(settled, String(number).padStart(9, '0'), 0)
  if (number === 1) writeSync(1, 'begun')
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
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), afterMs))
  await new Promise((resolve) => child.once('close', resolve))
  expect(child.signalCode).toBe('SIGKILL')
  const settled = Number(readFileSync(join(home, 'settled'), 'utf8'))
  const kept = outcomes(home)
  expect(settled).toBeGreaterThan(10)
  expect(kept.length).toBeGreaterThanOrEqual(settled)
  expect(kept).toEqual(kept.map((_, index) => index + 1))
})
