// A Postgres client that says exactly what it is told to, message by message: for orders, timings and malformed bytes that no driver sends.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'

export interface Message {
  readonly type: string
  readonly body: Buffer
}

export interface WireLogin {
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly parameters?: Readonly<Record<string, string>>
}

const answerWithinMs = 20_000

export function message(type: string, ...parts: readonly (Buffer | string | number)[]): Buffer {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === 'number' ? int16(part) : typeof part === 'string' ? cstring(part) : part)),
  )
  const head = Buffer.alloc(type.length + 4)
  head.write(type, 'latin1')
  head.writeInt32BE(body.length + 4, type.length)
  return Buffer.concat([head, body])
}

const cstring = (text: string): Buffer => Buffer.from(`${text}\0`)

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export const query = (sql: string): Buffer => message('Q', sql)
export const parse = (name: string, sql: string): Buffer => message('P', name, sql, 0)
export const describePortal = (portal = ''): Buffer => message('D', Buffer.from('P'), portal)
export const describeStatement = (name: string): Buffer => message('D', Buffer.from('S'), name)
export const execute = (portal = '', maxRows = 0): Buffer => message('E', portal, int32(maxRows))
export const sync = message('S')
export const flush = message('H')

/** Binds text parameters; `format` 1 asks for every result column in binary. */
export function bind(portal: string, statement: string, values: readonly (string | null)[] = [], format: 0 | 1 = 0): Buffer {
  const cells = values.map((value) =>
    value === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]),
  )
  return message('B', portal, statement, 0, values.length, ...cells, 1, format)
}

export function startup(parameters: Readonly<Record<string, string>>, version = 196_608): Buffer {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [cstring(name), cstring(value)])
  return message('', int32(version), ...pairs, Buffer.from([0]))
}

/** The fields of an ErrorResponse or NoticeResponse by their letter. */
export function fields(body: Buffer): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const part of body.toString('utf8').split('\0')) if (part !== '') found[part.slice(0, 1)] = part.slice(1)
  return found
}

export class WireClient {
  readonly #socket: Socket
  #pending: Buffer[] = []
  #pendingBytes = 0
  #wake: (() => void) | undefined
  #closed = false
  /** Bytes received since the connection was opened. */
  received = 0
  /** Everything received so far, less what was discarded. */
  readonly transcript: Buffer[] = []
  /** The last bytes received while discarding. */
  #tail: Buffer | undefined
  backend: { readonly pid: number; readonly secret: Buffer } = { pid: 0, secret: Buffer.alloc(0) }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk)
    })
    socket.on('close', () => {
      this.#closed = true
      this.#wake?.()
    })
    socket.on('error', () => undefined) // 'close' follows
  }

  static async open(port: number): Promise<WireClient> {
    const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true })
    await new Promise<void>((done, fail) => socket.once('connect', done).once('error', fail))
    return new WireClient(socket)
  }

  /** Connects and logs in; fails with the server's message where it is refused. */
  static async login(login: WireLogin): Promise<WireClient> {
    const client = await WireClient.open(login.port)
    client.send(startup({ user: login.user, database: login.database, ...login.parameters }))
    await client.#authenticate(login)
    for (const { type, body } of await client.until('Z')) {
      if (type === 'E') throw new Error(fields(body)['M'] ?? 'refused')
      if (type === 'K') client.backend = { pid: body.readInt32BE(0), secret: body.subarray(4) }
    }
    return client
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Bytes that were sent and that the kernel has not taken yet. */
  get unsent(): number {
    return this.#socket.writableLength
  }

  send(...messages: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(messages))
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Whether the other side closes the connection in this time. */
  async gone(withinMs = answerWithinMs): Promise<boolean> {
    const deadline = Date.now() + withinMs
    while (!this.#closed && Date.now() < deadline) await this.#more(deadline)
    return this.#closed
  }

  close(): void {
    this.#socket.destroy()
  }

  /** Asks for what is running here to be cancelled, as Ctrl-C does: by a connection of its own. Resolves when that is closed. */
  async cancel(secret = this.backend.secret): Promise<boolean> {
    const other = await WireClient.open(this.#socket.remotePort ?? 0)
    other.send(message('', int32(80_877_102), int32(this.backend.pid), secret))
    return other.gone()
  }

  /** The messages up to and including the next of this type; an ErrorResponse before login or the end of the connection ends it too. */
  async until(type: string, withinMs = answerWithinMs): Promise<readonly Message[]> {
    const found: Message[] = []
    for (;;) {
      const next = await this.next(withinMs)
      if (next === undefined) return found
      found.push(next)
      if (next.type === type) return found
    }
  }

  /** The answers to a simple query. */
  async ask(sql: string): Promise<readonly Message[]> {
    this.send(query(sql))
    return this.until('Z')
  }

  /** One message; undefined once the connection has ended. */
  async next(withinMs = answerWithinMs): Promise<Message | undefined> {
    const deadline = Date.now() + withinMs
    for (;;) {
      const cut = this.#cut()
      if (cut !== undefined) return cut
      if (this.#closed) return undefined
      await this.#more(deadline)
    }
  }

  #take(chunk: Buffer): void {
    this.received += chunk.length
    if (this.#tail === undefined) {
      this.#pending.push(chunk)
      this.#pendingBytes += chunk.length
      this.transcript.push(chunk)
    } else {
      this.#tail = Buffer.concat([this.#tail, chunk.subarray(-6)]).subarray(-6)
    }
    this.#wake?.()
  }

  #cut(): Message | undefined {
    if (this.#pendingBytes < 5) return undefined
    const bytes = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending)
    this.#pending = [bytes]
    const length = bytes.readInt32BE(1) + 1
    if (bytes.length < length) return undefined
    this.#pending = [bytes.subarray(length)]
    this.#pendingBytes = bytes.length - length
    return { type: bytes.toString('latin1', 0, 1), body: bytes.subarray(5, length) }
  }

  /** Reads and forgets everything up to a ReadyForQuery that nothing follows; for results too large to keep. */
  async discardUntilReady(withinMs: number): Promise<number> {
    const ready = Buffer.from([0x5a, 0, 0, 0, 5])
    const deadline = Date.now() + withinMs
    const before = this.received
    this.#tail = Buffer.alloc(0)
    while (this.#tail.length < 6 || !this.#tail.subarray(0, 5).equals(ready)) {
      if (this.#closed) throw new Error('the connection ended in the middle of a result')
      await this.#more(deadline)
    }
    this.#tail = undefined
    return this.received - before
  }

  async #more(deadline: number): Promise<void> {
    const left = deadline - Date.now()
    if (left <= 0) throw new Error('no answer in time')
    let clock: NodeJS.Timeout | undefined
    await new Promise<void>((done) => {
      this.#wake = done
      clock = setTimeout(done, left)
    })
    clearTimeout(clock)
    this.#wake = undefined
  }

  async #authenticate(login: WireLogin): Promise<void> {
    for (;;) {
      const asked = await this.next()
      if (asked === undefined) throw new Error('the connection ended before login')
      if (asked.type === 'E') throw new Error(fields(asked.body)['M'] ?? 'refused')
      if (asked.type !== 'R') continue
      const kind = asked.body.readInt32BE(0)
      if (kind === 0) return
      if (kind === 3) this.send(message('p', login.password))
      else if (kind === 10) await this.#scram(login.password)
      else throw new Error(`authentication ${kind} was not expected`)
    }
  }

  /** SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677). */
  async #scram(password: string): Promise<void> {
    const bare = `n=,r=${randomBytes(18).toString('base64')}`
    const first = Buffer.from(`n,,${bare}`)
    this.send(message('p', 'SCRAM-SHA-256', int32(first.length), first))
    const challenge = await this.#challenge(11)
    const part = (name: string): string => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(challenge)?.[1] ?? ''
    const salted = pbkdf2Sync(password, Buffer.from(part('s'), 'base64'), Number(part('i')), 32, 'sha256')
    const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
    const clientKey = hmac(salted, 'Client Key')
    const unproved = `c=biws,r=${part('r')}`
    const signature = hmac(createHash('sha256').update(clientKey).digest(), `${bare},${challenge},${unproved}`)
    const proof = clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))
    this.send(message('p', Buffer.from(`${unproved},p=${Buffer.from(proof).toString('base64')}`)))
    const last = await this.#challenge(12)
    const expected = hmac(hmac(salted, 'Server Key'), `${bare},${challenge},${unproved}`).toString('base64')
    if (last !== `v=${expected}`) throw new Error('the server did not prove itself')
  }

  async #challenge(kind: number): Promise<string> {
    const answer = await this.next()
    if (answer === undefined) throw new Error('the connection ended during login')
    if (answer.type === 'E') throw new Error(fields(answer.body)['M'] ?? 'refused')
    if (answer.body.readInt32BE(0) !== kind) throw new Error('the login went out of turn')
    return answer.body.toString('utf8', 4)
  }
}
