// The whole way, against the real embedded database: spool, shipper, blocks and rows, replay, verify; with deaths in between and with
// somebody's hands in the database.

import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openStore, startEmbedded } from '@sallyport/store'
import type { EmbeddedPostgres, Store } from '@sallyport/store'
import { readPins } from './node-key.js'
import { openRecorder } from './recorder.js'
import type { LocalRecorder, RecorderLimits } from './recorder-options.js'
import { replay } from './replay.js'
import { Death, exchange, recordedSession, shipperInProcess, silent, temporaryHome } from './samples.fixture.js'
import type { FrameSink, ShippedBatch } from './shipped.js'
import type { ShipperThread } from './shipper-link.js'
import type { RecordVerdict } from './verify.js'
import { verifyAll, verifyOne } from './verify.js'

const directory = join(tmpdir(), `sallyport-db-${randomUUID()}`)
let embedded: EmbeddedPostgres
let store: Store
let hands: Client
let home: string

beforeAll(async () => {
  embedded = await startEmbedded({ directory, log: silent })
  store = await openStore(embedded.connection)
  hands = new Client(embedded.connection)
  await hands.connect()
}, 60_000)

afterAll(async () => {
  await hands.end()
  await store.close()
  await embedded.stop()
  rmSync(directory, { recursive: true, force: true })
})

beforeEach(async () => {
  home = temporaryHome()
  await hands.query(
    `truncate sallyport.sessions, sallyport.statements, sallyport.blocks, sallyport.checkpoints, sallyport.nodes, sallyport.node_keys`,
  )
})

const recorders: LocalRecorder[] = []

async function open(
  createSink: () => FrameSink = () => store.sink(),
  limits: Partial<RecorderLimits> = {},
): Promise<LocalRecorder> {
  const { start } = shipperInProcess(createSink)
  const recorder = await openRecorder({ home, node: 'n1', startShipper: start, log: silent, limits })
  recorders.push(recorder)
  return recorder
}

afterEach(async () => {
  for (const recorder of recorders.splice(0)) await recorder.stop()
})

const verify = (): Promise<RecordVerdict> => verifyAll(store.frames, readPins(home))

async function texts(session: string): Promise<string[]> {
  const found: string[] = []
  for await (const frame of replay(session, store.frames)) {
    if (frame.kind === 'bytes') found.push(Buffer.from(frame.bytes).toString())
  }
  return found
}

/** A sink in front of the real one that lets `before` and `after` each write go wrong. */
function disturbed(before: (write: number) => void, after: (write: number) => void): () => FrameSink {
  let writes = 0
  return () => {
    const sink = store.sink()
    return {
      open: (node) => sink.open(node),
      close: () => sink.close(),
      async write(batch: ShippedBatch) {
        const write = writes++
        before(write)
        await sink.write(batch)
        after(write)
      },
    }
  }
}

/** One session of `count` exchanges, shipped in several batches. */
async function record(recorder: LocalRecorder, id: string, count: number): Promise<void> {
  const recording = recorder.open(recordedSession(id), () => undefined)
  for (let number = 1; number <= count; number++) {
    for (const frame of exchange(number)) recording.append(frame)
    await recording.settled()
    if (number % 3 === 0) await recorder.shipped()
  }
  await recording.close('client left')
  await recorder.shipped()
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

describe('shipping', () => {
  it('brings frames, rows and checkpoints to the database, and out again', async () => {
    const recorder = await open()
    await record(recorder, 's1', 10)
    expect(await texts('s1')).toEqual(range(10).map((number) => `row ${number}`))
    const shown = await store.sessions.summary('s1')
    expect(shown).toMatchObject({ id: 's1', identity: 'ann', target: 'orders', statements: 10, denied: 0, outcome: 'client left' })
    expect((await store.sessions.statements('s1'))[4]).toMatchObject({
      id: 5,
      text: 'select 5',
      ruling: { kind: 'allow', rule: null, reason: null, reviewers: [] },
      rows: 1,
      bytes: 5,
      durationMs: 0.5,
      error: null,
    })
    expect(await verify()).toEqual({ state: 'whole', sessions: 1, live: 0, unpinned: [], findings: [] })
  })

  it('makes room of what is shipped, also where nothing more can be written at home', async () => {
    const recorder = await open(() => store.sink(), { segmentBytes: 1_000 })
    mkdirSync(join(home, 'keys', 'head.json.new'))
    // Each end of a session is sealed, and the newest seal is noted at home.
    for (const number of range(8)) await record(recorder, `s${number}`, 2)
    expect(await texts('s8')).toHaveLength(2)
    expect(readdirSync(join(home, 'spool')).length).toBeLessThan(5)
  })

  it('ships everything exactly once, whatever dies between the batches', async () => {
    const go = (write: number, at: readonly number[], error: () => Error): void => {
      if (at.includes(write)) throw error()
    }
    const recorder = await open(
      disturbed(
        (write) => {
          go(write, [2, 9], () => new Error('connection lost before the commit'))
          go(write, [5], () => new Death('before'))
        },
        (write) => {
          go(write, [1, 7], () => new Error('connection lost after the commit'))
          go(write, [4], () => new Death('after'))
        },
      ),
    )
    await record(recorder, 's1', 45)
    expect(await texts('s1')).toEqual(range(45).map((number) => `row ${number}`))
    expect((await store.sessions.statements('s1', { limit: 100 })).map((statement) => statement.id)).toEqual(range(45))
    expect(await verify()).toMatchObject({ state: 'whole', sessions: 1, findings: [] })
  })

  it('ships first what a dead node left, and closes its sessions', async () => {
    const dead = await openRecorder({ home, node: 'n1', startShipper: silentShipper, log: silent })
    const left = dead.open(recordedSession('left'), () => undefined)
    for (const number of range(5)) {
      for (const frame of exchange(number)) left.append(frame)
      await left.settled()
    }
    const recorder = await open()
    await record(recorder, 'next', 2)
    expect(await texts('left')).toEqual(range(5).map((number) => `row ${number}`))
    expect(await store.sessions.summary('left')).toMatchObject({ outcome: 'gateway stopped', statements: 5 })
    expect(await verify()).toMatchObject({ state: 'whole', sessions: 2, live: 0 })
  })

  it('closes sessions whose spool is gone with its disk', async () => {
    const recorder = await open()
    const recording = recorder.open(recordedSession('s1'), () => undefined)
    for (const frame of exchange(1)) recording.append(frame)
    await recorder.shipped()
    expect(await store.sessions.list({ live: true })).toHaveLength(1)
    await recorder.stop()
    recorders.length = 0
    home = temporaryHome()
    const again = await open()
    await again.shipped()
    expect(await store.sessions.summary('s1')).toMatchObject({ outcome: 'gateway stopped' })
    expect(await verify()).toMatchObject({ state: 'whole', findings: [] })
  })

  it('keeps frames whose session an older copy of the database does not know, and says so', async () => {
    const recorder = await open()
    const recording = recorder.open(recordedSession('s1'), () => undefined)
    for (const frame of exchange(1)) recording.append(frame)
    await recorder.shipped()
    await hands.query('truncate sallyport.sessions, sallyport.statements, sallyport.blocks, sallyport.checkpoints')
    for (const frame of exchange(2)) recording.append(frame)
    await recording.close('client left')
    await recorder.shipped()
    const { state, findings } = await verify()
    expect(state).toBe('altered')
    expect(findings.map(({ kind, place }) => `${kind} ${place}`)).toContain('removed frame 1')
    const [lost] = await store.sessions.list({})
    expect(lost).toMatchObject({ identity: 'unknown', outcome: 'client left' })
    expect(await texts(lost?.id ?? '')).toEqual(['row 2'])
  })

  it('refuses a second node of the same name', async () => {
    await open()
    const second = store.sink()
    await expect(second.open({ name: 'n1', key: 'k', publicKey: 'p' })).rejects.toThrow(/another gateway records as node n1/)
    await second.close()
  })
})

describe('verify', () => {
  const flip = `set_byte(bytes, 40, get_byte(bytes, 40) # 1)`
  const tamperings: readonly (readonly [string, string, readonly RegExp[]])[] = [
    [
      'a byte in a block',
      `update sallyport.blocks set bytes = ${flip} where session = 's2' and number = 2`,
      [/altered s2 block 2/],
    ],
    ['a block gone', `delete from sallyport.blocks where session = 's2' and number = 2`, [/removed s2 block 3.*block 2 is gone/]],
    [
      'the last block gone',
      `delete from sallyport.blocks where session = 's2' and number = (select max(number) from sallyport.blocks where session = 's2')`,
      [/removed s2 frames/],
    ],
    [
      'two blocks swapped',
      `update sallyport.blocks a set bytes = b.bytes, encoding = b.encoding, previous = b.previous, hash = b.hash, raw_bytes = b.raw_bytes
       from sallyport.blocks b where a.session = 's2' and b.session = 's2' and a.number in (2, 3) and b.number = 5 - a.number`,
      [/reordered s2 block 2/],
    ],
    [
      'a statement reworded',
      `update sallyport.statements set text = 'select 0' where session = 's2' and number = 4`,
      [/altered s2 statement 4 .*: text/],
    ],
    [
      'a ruling turned',
      `update sallyport.statements set ruling = 'deny' where session = 's2' and number = 4`,
      [/altered s2 statement 4 .*: ruling/],
    ],
    ['a statement row gone', `delete from sallyport.statements where session = 's2' and number = 4`, [/removed s2 statement 4/]],
    [
      'a statement row made up',
      `insert into sallyport.statements (session, number, at, kind, text, parameters, effects, held)
       values ('s2', 99, now(), 'query', 'x', '[]', '[]', true)`,
      [/added s2 statements there are 1 rows more/],
    ],
    [
      'a session given to another',
      `update sallyport.sessions set identity = 'eve' where id = 's2'`,
      [/altered s2 session row .*identity/],
    ],
    [
      'a session said to be signed further than it is',
      `update sallyport.sessions set checkpointed = checkpointed + 1 where id = 's2'`,
      [/altered s2 session row .*: checkpointed/],
    ],
    [
      'a block said to be of another time',
      `update sallyport.blocks set first_at = first_at + interval '1 second' where session = 's2' and number = 2`,
      [/altered s2 block 2.* it says it begins at another time/],
    ],
    ['a session row gone', `delete from sallyport.sessions where id = 's2'`, [/removed s2 session row/]],
    [
      'a session gone with everything but its checkpoints',
      `with a as (delete from sallyport.blocks where session = 's2'), b as (delete from sallyport.statements where session = 's2')
       delete from sallyport.sessions where id = 's2'`,
      [/removed s2 blocks/, /removed s2 session row/],
    ],
    [
      'a session gone with its checkpoints too',
      `with a as (delete from sallyport.blocks where session = 's2'), b as (delete from sallyport.statements where session = 's2'),
       c as (delete from sallyport.checkpoints where session = 's2') delete from sallyport.sessions where id = 's2'`,
      [/removed {2}checkpoint 3 .*checkpoints 2 to 2 are gone/],
    ],
    [
      'the newest session gone without a trace',
      `with a as (delete from sallyport.blocks where session = 's3'), b as (delete from sallyport.statements where session = 's3'),
       c as (delete from sallyport.checkpoints where session = 's3') delete from sallyport.sessions where id = 's3'`,
      [/removed {2}checkpoints 3 to 3 .*this node wrote them/],
    ],
    [
      'the last checkpoint gone',
      `delete from sallyport.checkpoints where session = 's3'`,
      [/removed {2}checkpoints 3 to 3/, /unsigned s3/],
    ],
    [
      'a checkpoint altered',
      `update sallyport.checkpoints set body = replace(body, 'frames ', 'frames 1') where session = 's2'`,
      [/altered {2}checkpoint 2 .*signature/, /altered s2 checkpoint 2 .*signature/],
    ],
    [
      'a history rewritten with hashes that fit',
      `update sallyport.blocks set hash = sha256('x') where session = 's2' and number = 1`,
      [/altered s2 block 1/, /altered s2 block 2 it does not follow/],
    ],
    ['the key replaced', `update sallyport.node_keys set public_key = 'nonsense'`, []],
  ]

  it.each(tamperings)('finds %s', async (_, sql, expected) => {
    const recorder = await open()
    for (const id of ['s1', 's2', 's3']) await record(recorder, id, 9)
    expect(await verify()).toMatchObject({ state: 'whole', sessions: 3 })
    const { rowCount } = await hands.query(sql)
    expect(rowCount).toBeGreaterThan(0)
    const { state, findings } = await verify()
    const told = findings.map(({ kind, session, place, message }) => `${kind} ${session ?? ''} ${place} ${message}`)
    for (const pattern of expected) expect(told.join('\n')).toMatch(pattern)
    // The node's own copy of its key counts, not the database's.
    expect(state).toBe(expected.length === 0 ? 'whole' : 'altered')
    // Every finding names the session that was touched, or the chain.
    expect(findings.filter((finding) => finding.session === 's1')).toEqual([])
  })

  it('calls a live session whole as far as it goes', async () => {
    const recorder = await open()
    const recording = recorder.open(recordedSession('s1'), () => undefined)
    for (const frame of exchange(1)) recording.append(frame)
    await recorder.shipped()
    expect(await verifyOne('s1', store.frames, readPins(home))).toMatchObject({ state: 'live', frames: 5, signed: 0, findings: [] })
    expect(await verify()).toMatchObject({ state: 'whole', live: 1 })
    await recording.close('client left')
    await recorder.shipped()
    expect(await verifyOne('s1', store.frames, readPins(home))).toMatchObject({ state: 'whole', frames: 6, signed: 6 })
  })

  it('says which keys only the database vouches for', async () => {
    const recorder = await open()
    await record(recorder, 's1', 1)
    const { unpinned, state } = await verifyAll(store.frames, { keys: new Map(), head: undefined })
    expect([state, unpinned.length]).toEqual(['whole', 1])
  })
})

/** Takes frames to the spool and no further, as a node that is killed before its shipper came to work. */
function silentShipper(): ShipperThread {
  let end: (reason: string) => void = () => undefined
  let report: Parameters<ShipperThread['onReport']>[0] = () => undefined
  return {
    order: (order) => {
      if (order.kind === 'stop') end('stopped')
    },
    onReport: (listener) => {
      report = listener
      queueMicrotask(() => report({ kind: 'ready', position: 0 }))
    },
    onEnd: (listener) => (end = listener),
    terminate: () => Promise.resolve(),
  }
}
