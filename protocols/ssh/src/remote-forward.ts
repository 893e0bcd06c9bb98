// Forwards from the target to the client (-R): that the target listens is a statement of its own, off unless a rule allows it.

import type { Effect } from '@sallyport/core'
import type { Channel, Client, Connection, ServerChannel } from 'ssh2'
import { join } from './join.js'
import type { Served } from './served.js'

/** Each is a socket on the target. Nobody asks for more of them than a few. */
const mostListening = 32

interface Place {
  /** How the target says which of them somebody has connected to. */
  readonly key: string
  /** As rules name it. */
  readonly object: string
  readonly listen: (client: Client, done: (error: Error | undefined, port?: number) => void) => void
  readonly stop: (client: Client, done: () => void) => void
}

type OpenNear = (done: (error: Error | undefined, near: ServerChannel) => void) => void

/** Answers the client's requests for the target to listen, and leads to the client who connects there. */
export class RemoteForwards {
  readonly #connection: Connection
  readonly #served: Served
  readonly #listening = new Set<string>()
  /** Asked for and not answered. */
  #pending = 0
  #heard = false

  constructor(connection: Connection, served: Served) {
    this.#connection = connection
    this.#served = served
  }

  /** RFC 4254, section 7.1. */
  serve(): void {
    this.#connection.on('request', (accept, reject, name, info) => {
      const place = placeOf(info)
      const answer = { accept: (port?: number) => accept?.(port), reject: () => reject?.() }
      const stops = name.startsWith('cancel-')
      if (stops ? !this.#listening.has(place.key) : this.#listening.size + this.#pending >= mostListening) return answer.reject()
      if (stops) return void this.#stop(place, answer.accept).catch(this.#served.bug)
      this.#pending += 1
      void this.#begin(place, answer)
        .catch(this.#served.bug)
        .finally(() => (this.#pending -= 1))
    })
  }

  async #begin(place: Place, answer: { accept(port?: number): void; reject(): void }): Promise<void> {
    const { session } = this.#served
    const effects: readonly Effect[] = [{ access: 'admin', verb: 'forward', object: place.object }]
    const { ruling, statement } = await this.#served.judge(
      { kind: 'tunnel', text: `forward from ${place.object.slice('remote:'.length)} on the target to the caller`, effects },
      { needsRule: 'forwarding is off unless a rule allows it' },
    )
    if (ruling.kind !== 'allow') return answer.reject()
    const began = performance.now()
    const port = await this.#listen(place)
    if (session.signal.aborted) return
    const outcome = { statement, rows: 0, bytes: 0, durationMs: performance.now() - began }
    session.outcome(port === undefined ? { ...outcome, error: 'the target does not listen there' } : outcome)
    if (port === undefined) return answer.reject()
    this.#listening.add(port === 0 ? place.key : place.key.replace(/:0$/, `:${port}`))
    answer.accept(port)
  }

  /** The port, 0 for a socket of Unix; undefined where it does not listen. */
  async #listen({ listen }: Place): Promise<number | undefined> {
    try {
      const client = await this.#served.upstream
      this.#hear(client)
      return await new Promise<number>((resolve, reject) => {
        listen(client, (error, port) => (error === undefined ? resolve(port ?? 0) : reject(error)))
      })
    } catch {
      return undefined
    }
  }

  async #stop(place: Place, accept: () => void): Promise<void> {
    this.#listening.delete(place.key)
    const client = await this.#served.upstream
    place.stop(client, () => accept())
  }

  #hear(client: Client): void {
    if (this.#heard) return
    this.#heard = true
    client.on('tcp connection', ({ destIP, destPort, srcIP, srcPort }, accept, reject) => {
      const open: OpenNear = (done) => void this.#connection.forwardOut(destIP, destPort, srcIP, srcPort, done)
      void this.#lead(`${destIP}:${destPort}`, `${srcIP}:${srcPort}`, open, accept, reject)
    })
    client.on('unix connection', ({ socketPath }, accept, reject) => {
      const open: OpenNear = (done) => void this.#connection.openssh_forwardOutStreamLocal(socketPath, done)
      void this.#lead(socketPath, 'a process there', open, accept, reject)
    })
  }

  async #lead(key: string, from: string, open: OpenNear, accept: () => Channel, reject: () => void): Promise<void> {
    const { session } = this.#served
    if (!this.#listening.has(key) || session.signal.aborted || !this.#served.enter()) return reject()
    try {
      const near = await new Promise<ServerChannel | undefined>((resolve) => {
        open((error, channel) => resolve(error === undefined ? channel : undefined))
      })
      if (near === undefined) return reject()
      const { toClientBytes, toTargetBytes } = await join(near, accept(), this.#served)
      if (!session.signal.aborted)
        session.mark('forwarded', `from ${from} at ${key}: ${toClientBytes} bytes to the caller, ${toTargetBytes} back`)
    } catch (error) {
      this.#served.bug(error)
    } finally {
      this.#served.leave()
    }
  }
}

function placeOf(info: { readonly bindAddr: string; readonly bindPort: number } | { readonly socketPath: string }): Place {
  if ('socketPath' in info) {
    const { socketPath } = info
    return {
      key: socketPath,
      object: `remote:${socketPath}`,
      listen: (client, done) => void client.openssh_forwardInStreamLocal(socketPath, (error) => done(error ?? undefined)),
      stop: (client, done) => void client.openssh_unforwardInStreamLocal(socketPath, () => done()),
    }
  }
  const { bindAddr, bindPort } = info
  return {
    key: `${bindAddr}:${bindPort}`,
    object: `remote:${bindAddr === '' ? '*' : bindAddr}:${bindPort}`,
    listen: (client, done) => void client.forwardIn(bindAddr, bindPort, done),
    stop: (client, done) => void client.unforwardIn(bindAddr, bindPort, () => done()),
  }
}
