// The client's end of one channel. Whatever is sent is recorded first, and one chunk at a time: the library forgets one of two
// streams that wait for the same window.

import type { Settled } from '@sallyport/core'
import type { ServerChannel } from 'ssh2'
import { forgetSent } from './library.js'
import type { Served } from './served.js'
import { deniedExit, failedExit } from './wording.js'
import type { Content } from './content.js'

export type Exit = { readonly code: number } | { readonly signal: string; readonly dumped: boolean; readonly description: string }

export class ClientChannel {
  readonly number: number
  readonly stream: ServerChannel
  readonly #served: Served
  readonly #gone: Promise<void>
  readonly #content: Content | 'not recorded' | undefined
  #busy: Promise<void> | undefined
  #closed = false
  #sentBytes = 0

  /** `content`: what is sent is bulk data, recorded up to its cap; or somebody else records what it says. */
  constructor(stream: ServerChannel, served: Served, content?: Content | 'not recorded') {
    this.stream = stream
    this.#served = served
    this.#content = content
    this.number = served.nextChannel()
    stream.on('error', () => {})
    stream.stderr.on('error', () => {})
    this.#gone = new Promise((resolve) => {
      const close = (): void => {
        this.#closed = true
        forget()
        resolve()
      }
      let forget = (): void => {}
      stream.once('close', close)
      stream.once('gone', close)
      stream.once('unread', () => {
        if (this.#closed) return
        // As a command ends that writes into a pipe nobody reads.
        stream.exit('PIPE', false, '')
        stream.close()
        close()
      })
      forget = served.whenOver(close)
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Resolves when nothing can be sent any more. */
  get gone(): Promise<void> {
    return this.#gone
  }

  get sentBytes(): number {
    return this.#sentBytes
  }

  /** A promise means: wait before sending more. */
  send(to: 'out' | 'err', bytes: Buffer): Settled<void> {
    if (this.#closed) return undefined
    const wait = this.#busy === undefined ? this.#recorded(to, bytes) : this.#busy.then(() => this.#recorded(to, bytes))
    if (!(wait instanceof Promise)) return undefined
    const busy: Promise<void> = wait.catch(this.#served.bug).then(() => {
      if (this.#busy === busy) this.#busy = undefined
    })
    this.#busy = busy
    return busy
  }

  /** Resolves when all that was sent so far is taken; undefined where it is. */
  idle(): Promise<void> | undefined {
    return this.#busy
  }

  say(text: string): Settled<void> {
    return this.send('err', Buffer.from(text))
  }

  /** Ends the channel once all that was sent is out. The exit must go before the end of the stream, or the client never sees it. */
  async end(exit: Exit | undefined): Promise<void> {
    while (this.#busy !== undefined) await this.#busy
    if (this.#closed) return
    if (exit !== undefined && 'code' in exit) this.stream.exit(exit.code)
    else if (exit !== undefined) this.stream.exit(exit.signal, exit.dumped, exit.description)
    this.stream.end()
  }

  async refuse(text: string): Promise<void> {
    await this.say(text)
    await this.end({ code: deniedExit })
  }

  async fail(text: string): Promise<void> {
    await this.say(text)
    await this.end({ code: failedExit })
  }

  #recorded(to: 'out' | 'err', bytes: Buffer): Settled<void> {
    if (this.#closed) return undefined
    const { session } = this.#served
    this.#sentBytes += bytes.length
    const kept = to === 'out' ? this.#kept(bytes) : bytes
    if (kept.length > 0) session.record('upstream', kept, this.number * 2 + (to === 'err' ? 1 : 0))
    const durable = session.settled()
    return durable instanceof Promise ? durable.then(() => this.#put(to, bytes)) : this.#put(to, bytes)
  }

  #kept(bytes: Buffer): Buffer {
    if (this.#content === undefined) return bytes
    return this.#content === 'not recorded' ? bytes.subarray(0, 0) : this.#content.take(bytes)
  }

  #put(to: 'out' | 'err', bytes: Buffer): Settled<void> {
    if (this.#closed) return undefined
    const { socket } = this.#served
    const target = to === 'out' ? this.stream : this.stream.stderr
    if (to === 'err') forgetSent(this.stream)
    let taken: (() => void) | undefined
    target.write(bytes, () => taken?.())
    const waits: Promise<void>[] = []
    if (target.writableLength > 0) waits.push(new Promise((resolve) => (taken = resolve)))
    if (socket.writableNeedDrain) waits.push(new Promise((resolve) => socket.once('drain', resolve)))
    return waits.length === 0 ? undefined : Promise.race([Promise.all(waits).then(() => {}), this.#gone])
  }
}
