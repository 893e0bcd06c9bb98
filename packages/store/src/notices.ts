// Word from node to node by LISTEN and NOTIFY, on one connection of its own that is made again when it breaks.

import type { Client, Pool } from 'pg'
import { createClient } from './connection.js'
import type { StoreConnection, StoreLog } from './connection.js'

export interface Notices {
  /** At most 7,999 bytes (PostgreSQL, NOTIFY). Heard on every node, this one too. */
  send(channel: string, payload: string): Promise<void>
  /** Resolves when the channel is being listened to; answers how to stop. `onResume`: notices may have been missed until now. */
  listen(channel: string, listener: (payload: string) => void, onResume?: () => void): Promise<() => Promise<void>>
  /** The same without waiting for the connection. */
  subscribe(channel: string, listener: (payload: string) => void, onResume: () => void): () => void
  stop(): Promise<void>
}

const FIRST_BACKOFF_MS = 200
const LONGEST_BACKOFF_MS = 10_000
/** Where nobody hears whether a connection still lives, a silent network could hold it for hours. */
const PING_MS = 30_000

interface Subscription {
  readonly channel: string
  readonly listener: (payload: string) => void
  readonly onResume: (() => void) | undefined
}

/** One name space for our channels in a database that may not be ours alone. */
const nameOf = (channel: string): string => `sallyport_${channel}`

class Listening implements Notices {
  readonly #connection: StoreConnection
  readonly #pool: Pool
  readonly #log: StoreLog
  readonly #subscriptions = new Set<Subscription>()
  #client: Client | undefined
  #connecting: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #ping: NodeJS.Timeout | undefined
  #backoffMs = FIRST_BACKOFF_MS
  #stopped = false

  constructor(connection: StoreConnection, pool: Pool, log: StoreLog) {
    this.#connection = connection
    this.#pool = pool
    this.#log = log
  }

  async send(channel: string, payload: string): Promise<void> {
    await this.#pool.query('select pg_notify($1, $2)', [nameOf(channel), payload])
  }

  async listen(channel: string, listener: (payload: string) => void, onResume?: () => void): Promise<() => Promise<void>> {
    const subscription: Subscription = { channel, listener, onResume }
    this.#subscriptions.add(subscription)
    if (this.#client === undefined) await this.#connect()
    else await this.#client.query(`listen ${this.#client.escapeIdentifier(nameOf(channel))}`)
    return () => {
      this.#subscriptions.delete(subscription)
      return Promise.resolve()
    }
  }

  subscribe(channel: string, listener: (payload: string) => void, onResume: () => void): () => void {
    const subscription: Subscription = { channel, listener, onResume }
    this.#subscriptions.add(subscription)
    const client = this.#client
    const listening = client === undefined ? this.#connect() : client.query(`listen ${client.escapeIdentifier(nameOf(channel))}`)
    listening.catch(() => this.#broken(client, 'it cannot be listened to'))
    return () => void this.#subscriptions.delete(subscription)
  }

  /** Connects and listens to every channel anyone wants. Concurrent callers share one attempt. */
  #connect(): Promise<void> {
    this.#connecting ??= this.#connectOnce().finally(() => (this.#connecting = undefined))
    return this.#connecting
  }

  async #connectOnce(): Promise<void> {
    if (this.#stopped) return
    const client = createClient(this.#connection, 'listener')
    client.on('error', (error) => this.#broken(client, error.message))
    client.on('end', () => this.#broken(client, 'it was closed'))
    client.on('notification', ({ channel, payload }) => this.#heard(channel, payload ?? ''))
    try {
      await client.connect()
      const heard = new Set<string>()
      for (const { channel } of this.#subscriptions) heard.add(channel)
      for (const channel of heard) await client.query(`listen ${client.escapeIdentifier(nameOf(channel))}`)
      this.#client = client
      // Those who subscribed while the others were being listened to.
      for (const { channel } of this.#subscriptions)
        if (!heard.has(channel)) await client.query(`listen ${client.escapeIdentifier(nameOf(channel))}`)
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    this.#backoffMs = FIRST_BACKOFF_MS
    this.#ping = setInterval(() => {
      client.query('select').catch(() => this.#broken(client, 'it does not answer'))
    }, PING_MS)
    this.#ping.unref()
  }

  #heard(channel: string, payload: string): void {
    for (const subscription of this.#subscriptions) if (nameOf(subscription.channel) === channel) subscription.listener(payload)
  }

  /** Told by whatever notices first; a client that was replaced already has nothing more to say. */
  #broken(client: Client | undefined, reason: string): void {
    if (this.#stopped || this.#retry !== undefined || client !== this.#client) return
    this.#client = undefined
    clearInterval(this.#ping)
    void client?.end().catch(() => undefined)
    this.#log('warn', 'the connection for notices broke and is made again', { reason })
    this.#tryAgain()
  }

  #tryAgain(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#connect().then(
        () => this.#subscriptions.forEach((subscription) => subscription.onResume?.()),
        () => {
          this.#backoffMs = Math.min(this.#backoffMs * 2, LONGEST_BACKOFF_MS)
          if (!this.#stopped) this.#tryAgain()
        },
      )
    }, this.#backoffMs)
    this.#retry.unref()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#retry)
    clearInterval(this.#ping)
    await this.#connecting?.catch(() => undefined)
    await this.#client?.end().catch(() => undefined)
    this.#client = undefined
  }
}

export function openNotices(connection: StoreConnection, pool: Pool, log: StoreLog): Notices {
  return new Listening(connection, pool, log)
}
