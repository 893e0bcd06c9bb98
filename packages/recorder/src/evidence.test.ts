// A file of evidence, made of real sessions through the real database, then proved without either; and every way to alter it found.

import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openStore, startEmbedded } from '@sallyport/store'
import type { EmbeddedPostgres, Store } from '@sallyport/store'
import { EVIDENCE_TITLE, evidenceOf } from './evidence.js'
import { keyIdOf, parseCheckpoint, signCheckpoint } from './checkpoint.js'
import { pinsFrom } from './node-key.js'
import { openRecorder } from './recorder.js'
import { at, exchange, recordedSession, shipperInProcess, silent, temporaryHome } from './samples.fixture.js'
import { verifyEvidence } from './verify-evidence.js'
import type { EvidenceVerdict } from './verify-evidence.js'

const directory = join(tmpdir(), `sallyport-db-${randomUUID()}`)
const home = temporaryHome()
const file = join(home, 'evidence.jsonl')
let embedded: EmbeddedPostgres
let store: Store
let whole: readonly string[] = []
/** Of a session that has not ended. */
const live: string[] = []

beforeAll(async () => {
  embedded = await startEmbedded({ directory, log: silent })
  store = await openStore(embedded.connection)
  const recorder = await openRecorder({ home, node: 'n1', startShipper: shipperInProcess(() => store.sink()).start, log: silent })
  for (const id of ['s1', 's2']) {
    const recording = recorder.open(recordedSession(id), () => undefined)
    // Several blocks, and more statements than one page holds.
    for (let n = 1; n <= 250; n++) for (const frame of exchange(n, Buffer.alloc(3000, n))) recording.append(frame)
    await recording.settled()
    await recording.close('client left')
  }
  const open = recorder.open(recordedSession('open'), () => undefined)
  for (const frame of exchange(1)) open.append(frame)
  await open.settled()
  await recorder.shipped()
  for await (const line of evidenceOf('open', store.frames)) live.push(JSON.stringify(line))
  await recorder.stop()
  const lines: string[] = [JSON.stringify({ evidence: EVIDENCE_TITLE })]
  for (const id of ['s1', 's2']) for await (const line of evidenceOf(id, store.frames)) lines.push(JSON.stringify(line))
  whole = [...lines, JSON.stringify({ end: { sessions: 2 } })]
}, 60_000)

afterAll(async () => {
  await store.close()
  await embedded.stop()
  rmSync(directory, { recursive: true, force: true })
})

const pins = (): ReadonlyMap<string, string> => pinsFrom([join(home, 'keys', 'node.pub')])

function proved(lines: readonly string[], keys = pins()): Promise<EvidenceVerdict> {
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return verifyEvidence(file, keys)
}

const kindOf = (line: string): string => Object.keys(JSON.parse(line) as object)[0] ?? ''

describe('a file of evidence', () => {
  it('is whole as it was written, by a pinned key and by its own', async () => {
    expect(new Set(whole.map(kindOf))).toEqual(new Set(['evidence', 'session', 'checkpoint', 'key', 'block', 'statement', 'end']))
    expect(whole.filter((line) => kindOf(line) === 'block').length).toBeGreaterThan(4)
    const verdict = await proved(whole)
    expect(verdict).toMatchObject({ state: 'whole', findings: [], unpinned: [] })
    expect(
      verdict.sessions.map(({ session, state, statements, frames, signed }) => [session, state, statements, frames === signed]),
    ).toEqual([
      ['s1', 'whole', 250, true],
      ['s2', 'whole', 250, true],
    ])
    expect(await proved(whole, new Map())).toMatchObject({ state: 'whole', unpinned: [{ node: 'n1' }] })
  })

  it('is altered where any line is gone or doubled', async () => {
    const places = whole.flatMap((line, index) =>
      index === 0 || (kindOf(line) === 'statement' && index % 60 !== 0) ? [] : [index],
    )
    for (const index of places) {
      // A key that is pinned, or a second time there, proves nothing more.
      if (kindOf(whole[index] ?? '') === 'key') continue
      const gone = await proved(whole.toSpliced(index, 1))
      expect(gone.state, `without line ${index + 1}`).toBe('altered')
      const doubled = await proved(whole.toSpliced(index, 0, whole[index] ?? ''))
      expect(doubled.state, `line ${index + 1} twice`).toBe('altered')
    }
  })

  it('is altered where it is cut off, at any place', async () => {
    for (let length = 1; length < whole.length; length += 37) expect((await proved(whole.slice(0, length))).state).toBe('altered')
    writeFileSync(file, whole.join('\n').slice(0, -9))
    expect(await verifyEvidence(file, pins())).toMatchObject({ state: 'altered' })
  })

  it('is altered where a bit is, and says where', async () => {
    const changed = async (kind: string, change: (line: string) => string): Promise<string> => {
      const index = whole.findLastIndex((line) => kindOf(line) === kind)
      const verdict = await proved(whole.with(index, change(whole[index] ?? '')))
      expect(verdict.state).toBe('altered')
      return verdict.findings
        .map(({ session, kind: found, place, message }) => `${session ?? ''} ${found} ${place}: ${message}`)
        .join('\n')
    }
    expect(await changed('statement', (line) => line.replace('select 250', 'select 251'))).toMatch(
      /s2 altered statement 250: .*text/,
    )
    expect(await changed('session', (line) => line.replace('"ann"', '"bob"'))).toMatch(/s2 altered session row: .*identity/)
    expect(
      await changed('block', (line) => line.replace(/"bytes":"(.)/, (_, c: string) => `"bytes":"${c === 'A' ? 'B' : 'A'}`)),
    ).toMatch(/s2 altered block/)
    expect(await changed('checkpoint', (line) => line.replace('frames 1002', 'frames 1001'))).toMatch(/its signature does not fit/)
    expect(await changed('end', () => '{"end":{"sessions":3}}')).toMatch(/removed sessions/)
    expect(await changed('statement', () => '{')).toMatch(/altered line \d+: it is not JSON/)
    expect(await changed('statement', () => '{"hello":{}}')).toMatch(/it is no line of evidence/)
  })

  it('is altered where a line says more than was recorded, or says it elsewhere, and shows only what was recorded', async () => {
    interface Line {
      readonly facts: Record<string, unknown>
      readonly progress: Record<string, unknown>
      readonly [name: string]: unknown
    }
    const forged = async (kind: string, change: (value: Line) => object): Promise<EvidenceVerdict> => {
      const index = whole.findIndex((line) => kindOf(line) === kind)
      const read = JSON.parse(whole[index] ?? '') as Readonly<Record<string, Line>>
      return proved(whole.with(index, JSON.stringify({ [kind]: change(read[kind]) })))
    }
    const lies = { identity: { id: 'i9', name: 'eve', kind: 'person', groups: [] }, target: 'playground', startedAt: 0, node: 'n9' }
    const hidden = await forged('session', ({ facts, progress }) => ({
      facts: { ...facts, ...lies },
      progress: { ...facts, ...progress },
    }))
    expect(hidden.findings).toMatchObject([{ kind: 'altered', session: 's1', place: 'session row' }])
    expect(hidden.findings[0]?.message).toMatch(/identity.*target.*startedAt/)
    expect(hidden.sessions[0]?.facts).toMatchObject({ identity: { name: 'ann' }, target: 'orders', node: 'n1', startedAt: at })
    const more: readonly (readonly [string, (value: Line) => object, RegExp])[] = [
      ['session', ({ facts, progress }) => ({ facts: { ...facts, approvedBy: 'the board' }, progress }), /approvedBy/],
      ['session', ({ facts, progress }) => ({ facts, progress: { ...progress, target: 'orders' } }), /target/],
      ['session', ({ facts, progress }) => ({ facts, progress: { ...progress, id: 's9' } }), /: id/],
      ['session', ({ facts, progress }) => ({ facts, progress: { ...progress, checkpointed: 7 } }), /checkpointed/],
      ['session', ({ facts, progress }) => ({ facts, progress: { ...progress, spoolNumber: 'one' } }), /spoolNumber is no number/],
      ['session', (value) => ({ ...value, approvedBy: 'the board' }), /approvedBy/],
      ['statement', (value) => ({ ...value, approvedBy: 'the board' }), /statement 1: .*approvedBy/],
      [
        'statement',
        (value) => ({ ...value, ruling: { ...(value['ruling'] as object), by: 'the board' } }),
        /statement 1: .*ruling/,
      ],
      ['checkpoint', (value) => ({ ...value, session: 's2' }), /another session/],
      ['checkpoint', (value) => ({ ...value, at: 0 }), /"at"/],
      ['block', (value) => ({ ...value, session: 's2' }), /another session/],
      ['block', (value) => ({ ...value, firstAt: 1 }), /another time/],
      ['block', (value) => ({ ...value, rawBytes: 1 }), /holds 1 bytes/],
      ['block', (value) => ({ ...value, note: '' }), /"note"/],
      ['key', (value) => ({ ...value, note: '' }), /"note"/],
      ['end', (value) => ({ ...value, of: 2 }), /"of"/],
    ]
    for (const [kind, change, says] of more) {
      const { state, findings } = await forged(kind, change)
      expect([state, findings.map(({ place, message }) => `${place}: ${message}`).join('\n')]).toEqual([
        'altered',
        expect.stringMatching(says),
      ])
    }
  })

  it('is altered where a line is not spelled as an export spells it', async () => {
    const spelled: readonly (readonly [string, (line: string) => string])[] = [
      ['statement', (line) => line.replace('"text":', '"text":"select 1 -- harmless","text":')],
      ['statement', (line) => line.replace('{"statement":', '{"statement":{"number":0,"text":"harmless"},"statement":')],
      ['session', (line) => line.replace('"name":', '"name":"eve","name":')],
      ['block', (line) => line.replace('"frames":', '"frames":1,"frames":')],
      ['statement', (line) => line.replace('select', '\\u0073elect')],
      ['statement', (line) => line.replace('"rows":1', '"rows":1.0')],
      ['statement', (line) => ` ${line}`],
    ]
    for (const [kind, change] of spelled) {
      const index = whole.findIndex((line) => kindOf(line) === kind)
      const line = change(whole[index] ?? '')
      expect(line).not.toBe(whole[index])
      const { findings } = await proved(whole.with(index, line))
      expect(findings[0]).toMatchObject({
        place: `line ${index + 1}`,
        message: expect.stringContaining('not written as an export'),
      })
    }
  })

  it('without a session, or without the one that is asked for, is not whole', async () => {
    const none = await proved([whole[0] ?? '', '{"end":{"sessions":0}}'])
    expect(none).toMatchObject({ state: 'altered', sessions: [], findings: [{ kind: 'missing', place: 'sessions' }] })
    await proved(whole)
    expect(await verifyEvidence(file, pins(), ['s2', 's1'])).toMatchObject({ state: 'whole', findings: [] })
    expect(await verifyEvidence(file, pins(), ['s2', 's3', 's3'])).toMatchObject({
      state: 'altered',
      findings: [{ kind: 'missing', session: 's3', message: 'it is not in the file' }],
    })
  })

  it('counts its sessions; what is left of it without one is whole only where it says so', async () => {
    const cut = whole.filter((line) => !line.includes('"session":"s2"') && !line.includes('"id":"s2"'))
    expect((await proved(cut)).findings).toMatchObject([{ kind: 'removed', place: 'sessions' }])
    expect(await proved([...cut.slice(0, -1), '{"end":{"sessions":1}}'])).toMatchObject({ state: 'whole' })
  })

  it('is not whole where a session has no end', async () => {
    const verdict = await proved([whole[0] ?? '', ...live, '{"end":{"sessions":1}}'])
    expect(verdict.findings).toMatchObject([{ kind: 'removed', session: 'open', message: 'the end of the session is not there' }])
  })

  it('made anew with another key is whole by that key, and altered by the pinned one', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const id = keyIdOf(publicKey)
    const forged = whole.map((line) => {
      const value = JSON.parse(line) as { checkpoint?: { body: string }; key?: unknown }
      if (value.key !== undefined)
        return JSON.stringify({ key: { id, node: 'n1', publicKey: publicKey.export({ type: 'spki', format: 'pem' }) } })
      if (value.checkpoint === undefined) return line
      const signed = signCheckpoint({ ...parseCheckpoint(value.checkpoint.body), key: id }, privateKey)
      return JSON.stringify({ checkpoint: { ...signed, signature: Buffer.from(signed.signature).toString('base64') } })
    })
    expect(await proved(forged, new Map())).toMatchObject({ state: 'whole', unpinned: [{ id }] })
    const pinned = await proved(forged)
    expect(pinned.state).toBe('altered')
    expect(pinned.findings[0]).toMatchObject({ kind: 'unsigned', session: 's1' })
  })

  it('is refused where it is something else', async () => {
    for (const text of ['', 'hello', '{}\n', '{"evidence":"sallyport-evidence-2"}\n', 'x'.repeat(10_000)]) {
      writeFileSync(file, text)
      await expect(verifyEvidence(file, pins())).rejects.toThrow(/is no evidence/)
    }
    await expect(verifyEvidence(join(home, 'none'), pins())).rejects.toThrow(/cannot be read/)
    expect(() => pinsFrom([join(home, 'none')])).toThrow(/cannot be read/)
    expect(() => pinsFrom([file])).toThrow(/no public key/)
    const key = readFileSync(join(home, 'keys', 'node.pub'), 'utf8')
    expect([...pins().values()]).toEqual([key])
  })
})
