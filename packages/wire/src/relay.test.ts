import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { Malformed, Unreachable } from '@sallyport/core'
import type { Session, Side } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { relay } from './relay.js'
import type { Step, Wire } from './steps.js'

/** Each byte from the client is a statement; `!` is malformed. The upstream's bytes pass. */
class ByteWire implements Wire<string, boolean> {
  #queue = ''
  #asked: string | undefined
  upstreamHeld = false
  readonly holds: string[] = []

  get held(): number {
    return this.#queue.length
  }
  get clientHeld(): boolean {
    return this.#asked !== undefined
  }
  receive(from: Side, chunk: Buffer): Step<string>[] {
    if (from === 'upstream') return [{ kind: 'send', to: 'client', bytes: chunk }]
    this.#queue += chunk.toString()
    return this.#next()
  }
  rule(allowed: boolean): Step<string>[] {
    const asked = this.#asked as string
    this.#asked = undefined
    return [{ kind: 'send', to: allowed ? 'upstream' : 'client', bytes: Buffer.from(allowed ? asked : 'no') }, ...this.#next()]
  }
  hold(): void {
    this.holds.push('hold')
  }
  release(): Step<string>[] {
    this.holds.push('release')
    return []
  }
  #next(): Step<string>[] {
    if (this.#queue === '' || this.#asked !== undefined) return []
    this.#asked = this.#queue[0]
    this.#queue = this.#queue.slice(1)
    if (this.#asked === '!') throw new Malformed('client', 'malformed-message', 'bad')
    return [{ kind: 'judge', question: this.#asked }]
  }
}

interface Scene {
  readonly client: Duplex
  readonly upstream: Duplex
  readonly events: string[]
  readonly done: Promise<{ outcome: string }>
  readonly gone: () => boolean
  readonly end: (error: Error) => void
  readonly cancel: () => Promise<void>
  readonly holds: readonly string[]
}

function scene(
  options: {
    judge?: (question: string) => boolean | Promise<boolean>
    settled?: () => void | Promise<void>
    idleMs?: number
    cancel?: () => Promise<void>
  } = {},
): Scene {
  const [client, clientInside] = duplexPair()
  const [upstream, upstreamInside] = duplexPair()
  const events: string[] = []
  const ending = new AbortController()
  let gone = false
  upstream.on('data', (chunk: Buffer) => events.push(`upstream got ${chunk.toString()}`))
  client.on('data', (chunk: Buffer) => events.push(`client got ${chunk.toString()}`))
  for (const stream of [client, upstream, clientInside, upstreamInside]) stream.on('error', () => {})
  const session = {
    signal: ending.signal,
    record: (from: Side, bytes: Uint8Array) => events.push(`record ${from} ${Buffer.from(bytes).toString()}`),
    settled: options.settled ?? (() => undefined),
    mark: () => {},
  } as unknown as Session
  const wire = new ByteWire()
  const run = relay({
    wire,
    session,
    client: clientInside,
    upstream: upstreamInside,
    early: { client: Buffer.alloc(0), upstream: Buffer.alloc(0) },
    judge: options.judge ?? (() => true),
    cancel: options.cancel ?? (() => Promise.resolve()),
    outcome: () => {},
    clientGone: () => (gone = true),
    upstreamGone: () => new Unreachable('target-gone', 'it went away'),
    wordError: (error) => Buffer.from(`fatal ${(error as Error).message}`),
    idleMs: options.idleMs ?? 0,
    idleError: () => new Malformed('client', 'idle-limit', 'idle'),
  })
  return {
    client,
    upstream,
    events,
    done: run.done,
    gone: () => gone,
    end: (error) => ending.abort(error),
    cancel: () => run.cancel(),
    holds: wire.holds,
  }
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))

describe('the relay', () => {
  it('answers at once where it can, and joins what goes one way', async () => {
    const { client, events } = scene({ judge: (question) => question !== 'x' })
    client.write('axb')
    await soon()
    expect(events).toEqual(['record upstream no', 'upstream got ab', 'client got no'])
  })

  it('records what the client will see before the client sees it', async () => {
    let settle: () => void = () => {}
    const { upstream, events } = scene({ settled: () => new Promise<void>((resolve) => (settle = resolve)) })
    upstream.write('rows')
    await soon()
    expect(events).toEqual(['record upstream rows'])
    settle()
    await soon()
    expect(events).toEqual(['record upstream rows', 'client got rows'])
  })

  it('lets upstream bytes pass while a question is open, and nothing of the client', async () => {
    let answer: (allowed: boolean) => void = () => {}
    const { client, upstream, events } = scene({ judge: () => new Promise<boolean>((resolve) => (answer = resolve)) })
    client.write('ab')
    upstream.write('notice')
    await soon()
    expect(events).toEqual(['record upstream notice', 'client got notice'])
    answer(true)
    await soon()
    expect(events).toContain('upstream got a')
    expect(events).not.toContain('upstream got b')
  })

  it('passes one cancel on at a time, and lets nothing leave until it has arrived', async () => {
    const arrived: (() => void)[] = []
    const { cancel, holds } = scene({ cancel: () => new Promise<void>((resolve) => arrived.push(resolve)) })
    const both = [cancel(), cancel()]
    expect([arrived.length, holds]).toEqual([1, ['hold']])
    arrived[0]?.()
    await Promise.all(both)
    expect(holds).toEqual(['hold', 'release'])
    void cancel()
    expect([arrived.length, holds]).toEqual([2, ['hold', 'release', 'hold']])
  })

  it('notices a client that hangs up while its question is open', async () => {
    const { client, done, gone, events } = scene({ judge: () => new Promise<boolean>(() => {}) })
    client.write('abc')
    await soon()
    client.end()
    expect((await done).outcome).toBe('client disconnected')
    expect(gone()).toBe(true)
    expect(events.filter((event) => event.startsWith('upstream got'))).toEqual([])
  })

  it('tells the client why, when its bytes make no sense', async () => {
    const { client, events, done } = scene()
    client.write('!')
    expect((await done).outcome).toBe('malformed-message')
    await soon()
    expect(events).toEqual(['record upstream fatal bad', 'client got fatal bad'])
  })

  it('ends with the session', async () => {
    const { end, done, events } = scene()
    end(new Malformed('client', 'revoked', 'token revoked'))
    expect((await done).outcome).toBe('revoked')
    await soon()
    expect(events).toContain('client got fatal token revoked')
  })

  it('ends when the record can no longer be made durable, and forwards nothing', async () => {
    const { client, done, events } = scene({
      settled: () => Promise.reject(new Malformed('upstream', 'recording-failed', 'disk full')),
    })
    client.write('a')
    expect((await done).outcome).toBe('recording-failed')
    await soon()
    expect(events).not.toContain('upstream got a')
  })

  it('tells the client that the target went away, after what the target had said', async () => {
    const { upstream, done, events } = scene()
    upstream.write('rows')
    upstream.end()
    expect((await done).outcome).toBe('target-gone')
    await soon()
    expect(events).toEqual([
      'record upstream rows',
      'client got rows',
      'record upstream fatal it went away',
      'client got fatal it went away',
    ])
  })

  it('ends an idle session', async () => {
    const { done } = scene({ idleMs: 20 })
    expect((await done).outcome).toBe('idle-limit')
  })

  it('stops reading the target while the client does not take what it got', async () => {
    const { client, upstream } = scene()
    client.pause()
    let written = 0
    while (upstream.write(Buffer.alloc(65_536)) && written < 1_000) written += 1
    await soon()
    expect(written).toBeLessThan(1_000)
  })
})
