// The SFTP subsystem of one channel: bytes to packets on both ends, one request after the other.

import { isKnownError } from '@sallyport/core'
import type { ClientChannel as FarChannel, ServerChannel } from 'ssh2'
import { ClientChannel } from '../client-channel.js'
import { HeldInput } from '../input.js'
import type { Served } from '../served.js'
import { wordError, wordNotice, wordStatementDenial } from '../wording.js'
import { Exchange } from './exchange.js'
import { Cutter } from './packets.js'

export async function runSftp(served: Served, stream: ServerChannel): Promise<void> {
  const input = new HeldInput(stream)
  const channel = new ClientChannel(stream, served, 'not recorded')
  let far: FarChannel | undefined
  try {
    const offered = 'the target does not offer SFTP, serves no more channels at once, or hung up'
    far = await served.open(
      (client, done) => client.subsys('sftp', done),
      (each) => each,
      offered,
    )
    await relay(served, channel, input, far)
  } catch (error) {
    input.drop()
    far?.close()
    if (!channel.closed) await channel.fail(wordError(error, served.session.id))
    if (!isKnownError(error)) served.bug(error)
  }
}

async function relay(served: Served, channel: ClientChannel, input: HeldInput, far: FarChannel): Promise<void> {
  const gone = new AbortController()
  void channel.gone.then(() => gone.abort())
  let more = true
  const exchange = new Exchange({
    session: served.session,
    nextChannel: () => served.nextChannel(),
    judge: (question) => served.judge(question, { signal: gone.signal, onWait: (notice) => void channel.say(wordNotice(notice)) }),
    toClient: (bytes) => void channel.send('out', bytes),
    toUpstream: (bytes) => {
      more = far.write(bytes)
    },
    tell: (denial, statement) => void channel.say(wordStatementDenial(denial, served.session.id, statement)),
  })
  await new Promise<void>((resolve, reject) => {
    const requests = new Requests(exchange, () => more, reject)
    input.release({ write: (bytes) => requests.push(bytes, () => input.resume()), end: () => requests.end(() => far.end()) })
    far.on('drain', () => {
      more = true
      requests.go()
    })
    answers(far, channel, exchange, reject)
    far.on('error', () => {})
    far.stderr.on('data', (bytes: Buffer) => void channel.send('err', bytes))
    far.once('close', resolve)
    void channel.gone.then(() => {
      far.close()
      resolve()
    })
  })
  if (!served.session.signal.aborted) exchange.end()
  await channel.end({ code: 0 })
}

/** Answers go out as they come, no faster than the client takes them. */
function answers(far: FarChannel, channel: ClientChannel, exchange: Exchange, fail: (error: unknown) => void): void {
  const cutter = new Cutter('upstream')
  far.on('data', (bytes: Buffer) => {
    if (channel.closed) return
    try {
      for (const each of cutter.push(bytes)) exchange.fromUpstream(each)
    } catch (error) {
      fail(error)
      return
    }
    const wait = channel.idle()
    if (wait === undefined) return
    far.pause()
    void wait.then(() => far.resume())
  })
}

/** Requests wait for the one before them that is being judged, and for a target that is slow to take them. */
class Requests {
  readonly #exchange: Exchange
  readonly #room: () => boolean
  readonly #fail: (error: unknown) => void
  readonly #cutter = new Cutter('client')
  #waiting: Buffer[] = []
  #judging = false
  #ready: (() => void) | undefined
  #ended: (() => void) | undefined

  constructor(exchange: Exchange, room: () => boolean, fail: (error: unknown) => void) {
    this.#exchange = exchange
    this.#room = room
    this.#fail = fail
  }

  /** false: `ready` is called when there is room again. */
  push(bytes: Buffer, ready: () => void): boolean {
    try {
      this.#waiting.push(...this.#cutter.push(bytes))
    } catch (error) {
      this.#fail(error)
      return true
    }
    this.go()
    if (this.#waiting.length === 0) return true
    this.#ready = ready
    return false
  }

  end(ended: () => void): void {
    this.#ended = ended
    this.go()
  }

  go(): void {
    if (this.#judging) return
    try {
      this.#run()
    } catch (error) {
      this.#waiting = []
      this.#fail(error)
    }
  }

  #run(): void {
    let at = 0
    for (; at < this.#waiting.length && this.#room(); at += 1) {
      const wait = this.#exchange.fromClient(this.#waiting[at] ?? Buffer.alloc(0))
      if (wait === undefined) continue
      this.#judging = true
      this.#waiting = this.#waiting.slice(at + 1)
      wait.then(
        () => {
          this.#judging = false
          this.go()
        },
        (error: unknown) => this.#fail(error),
      )
      return
    }
    this.#waiting = this.#waiting.slice(at)
    if (this.#waiting.length > 0) return
    const ready = this.#ready
    this.#ready = undefined
    ready?.()
    const ended = this.#ended
    this.#ended = undefined
    ended?.()
  }
}
