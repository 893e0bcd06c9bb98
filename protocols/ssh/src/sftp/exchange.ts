// One SFTP session, without its sockets: requests in their order, judged where they touch a file by name, and the answers matched to them.

import { Malformed } from '@sallyport/core'
import type { Denial, Outcome, Session } from '@sallyport/core'
import type { Answered, Question } from '../served.js'
import { OpenFile } from './open-file.js'
import { Fields, kinds, packet, status, statusCodes } from './packets.js'
import { knownExtensions, readRequest } from './requests.js'
import type { Request } from './requests.js'

/** OpenSSH keeps 64 requests in flight, libssh2 some hundred. */
const maxPending = 4_096
/** OpenSSH's server itself stops at about this many. */
const maxOpen = 1_024

export interface ExchangeParts {
  readonly session: Pick<Session, 'record' | 'mark' | 'outcome'>
  readonly judge: (question: Question) => Promise<Answered>
  readonly nextChannel: () => number
  readonly toClient: (bytes: Buffer) => void
  readonly toUpstream: (bytes: Buffer) => void
  /** Tells the caller in words; SFTP's own answer says only that it may not. */
  readonly tell: (denial: Denial, statement: number) => void
}

/** What an answer from the target is about. */
type Pending =
  | { readonly kind: 'open'; readonly file: Omit<ConstructorParameters<typeof OpenFile>[0], 'channel'>; readonly began: number }
  | { readonly kind: 'statement'; readonly statement: number; readonly began: number }
  | { readonly kind: 'read'; readonly file: OpenFile; readonly offset: number }
  | { readonly kind: 'list'; readonly file: OpenFile }
  | { readonly kind: 'close'; readonly file: OpenFile }
  | { readonly kind: 'other' }

export class Exchange {
  readonly #parts: ExchangeParts
  readonly #pending = new Map<number, Pending>()
  readonly #open = new Map<string, OpenFile>()
  #begun = false

  constructor(parts: ExchangeParts) {
    this.#parts = parts
  }

  /** Call for one packet after the other; a promise means: wait before the next. Throws Malformed. */
  fromClient(bytes: Buffer): Promise<void> | undefined {
    const request = readRequest(bytes)
    if (request.kind === 'init') return this.#init()
    if (!this.#begun) throw new Malformed('client', 'sftp-order', 'an SFTP request came before the version')
    if (this.#pending.has(request.id) || this.#pending.size >= maxPending) {
      throw new Malformed('client', 'sftp-pending', 'an SFTP request has the number of another, or there are too many at once')
    }
    if (request.kind === 'judged') return this.#judged(request, bytes)
    if (request.kind === 'unknown') return this.#answer(request.id, statusCodes.unsupported, 'not supported through this gateway')
    if (request.kind === 'plain') return this.#forward(request.id, { kind: 'other' }, bytes)
    const file = this.#open.get(request.handle)
    if (file === undefined) return this.#answer(request.id, statusCodes.failure, 'no such handle')
    return this.#onFile(request, file, bytes)
  }

  /** Throws Malformed. */
  fromUpstream(bytes: Buffer): void {
    if (bytes[4] === kinds.version) return this.#version(bytes)
    const fields = new Fields(bytes, 'upstream')
    const id = fields.uint32()
    const pending = this.#pending.get(id)
    if (pending === undefined) throw new Malformed('upstream', 'sftp-answer', 'an SFTP answer belongs to no request')
    this.#pending.delete(id)
    switch (pending.kind) {
      case 'open':
        this.#opened(pending, bytes, fields)
        break
      case 'statement':
        this.#settled(pending, bytes, fields)
        break
      case 'read':
        if (bytes[4] === kinds.data)
          this.#recordContent('upstream', pending.file, pending.file.read(pending.offset, fields.string()))
        break
      case 'list':
        if (bytes[4] === kinds.name)
          this.#recordContent('upstream', pending.file, pending.file.read(pending.file.sizeBytes, namesIn(fields)))
        break
      case 'close':
        // Not before: what was asked for ahead of it is answered ahead of it.
        this.#closed(pending.file, errorIn(bytes, fields))
        break
      case 'other':
        break
    }
    this.#parts.toClient(bytes)
  }

  /** What is still open when the channel goes. */
  end(): void {
    for (const file of this.#open.values()) this.#closed(file)
    for (const pending of this.#pending.values()) if (pending.kind === 'close') this.#closed(pending.file)
    this.#open.clear()
    this.#pending.clear()
  }

  #init(): undefined {
    if (this.#begun) throw new Malformed('client', 'sftp-order', 'the SFTP version came twice')
    this.#begun = true
    this.#parts.toUpstream(Buffer.from([0, 0, 0, 5, kinds.init, 0, 0, 0, 3]))
    return undefined
  }

  /** Version 3 and the extensions that are understood here: others are not offered, so that no client relies on them. */
  #version(bytes: Buffer): void {
    const fields = new Fields(bytes, 'upstream')
    if (!this.#begun || fields.uint32() !== 3)
      throw new Malformed('upstream', 'sftp-version', 'the target does not speak SFTP version 3')
    const pairs: string[] = []
    while (fields.left > 0) {
      const name = fields.text()
      const data = fields.text()
      if (knownExtensions.has(name)) pairs.push(name, data)
    }
    this.#parts.toClient(packet(kinds.version, 3, ...pairs))
  }

  async #judged(request: Request & { kind: 'judged' }, bytes: Buffer): Promise<void> {
    const { id, text, effects, opens } = request
    const { statement, ruling } = await this.#parts.judge({ kind: 'file', text, effects })
    if (ruling.kind !== 'allow') {
      if (ruling.kind === 'deny') this.#parts.tell(ruling, statement)
      this.#answer(id, statusCodes.permissionDenied, ruling.kind === 'deny' ? ruling.reason : 'cannot be masked')
    } else if (opens === undefined) this.#forward(id, { kind: 'statement', statement, began: performance.now() }, bytes)
    else if (this.#open.size >= maxOpen) this.#answer(id, statusCodes.failure, 'too many open files')
    else this.#forward(id, { kind: 'open', file: { ...opens, statement }, began: performance.now() }, bytes)
  }

  #onFile(
    request: Exclude<Request, { kind: 'judged' | 'unknown' | 'plain' | 'init' }>,
    file: OpenFile,
    bytes: Buffer,
  ): Promise<void> | undefined {
    const { id } = request
    switch (request.kind) {
      case 'read':
        return this.#forward(id, { kind: 'read', file, offset: request.offset }, bytes)
      case 'list':
        return this.#forward(id, { kind: 'list', file }, bytes)
      case 'write':
        this.#recordContent('client', file, file.write(request.offset, request.data))
        return this.#forward(id, { kind: 'other' }, bytes)
      case 'look':
        return this.#forward(id, { kind: 'other' }, bytes)
      case 'change': {
        const effects = [{ access: 'write', verb: 'chmod', object: file.path, file: file.path }] as const
        return this.#judged({ kind: 'judged', id, text: `chmod ${file.path}`, effects }, bytes)
      }
      case 'close':
        this.#open.delete(request.handle)
        return this.#forward(id, { kind: 'close', file }, bytes)
    }
  }

  #forward(id: number, pending: Pending, bytes: Buffer): undefined {
    this.#pending.set(id, pending)
    this.#parts.toUpstream(bytes)
    return undefined
  }

  #answer(id: number, code: number, message: string): undefined {
    this.#parts.toClient(status(id, code, message))
    return undefined
  }

  #opened({ file, began }: Pending & { kind: 'open' }, bytes: Buffer, fields: Fields): void {
    if (bytes[4] !== kinds.handle) return this.#settled({ statement: file.statement, began }, bytes, fields)
    const handle = fields.string().subarray(0, 257).toString('latin1')
    const channel = this.#parts.nextChannel() * 2
    this.#open.set(handle, new OpenFile({ ...file, channel }))
    this.#parts.session.mark('file', file.path, channel)
  }

  #settled({ statement, began }: { readonly statement: number; readonly began: number }, bytes: Buffer, fields: Fields): void {
    this.#outcome({ statement, rows: 0, bytes: 0, durationMs: performance.now() - began }, errorIn(bytes, fields))
  }

  #closed(file: OpenFile, error?: string): void {
    const { statement, sizeBytes, began, channel } = file
    if (!file.directory) for (const summary of file.summaries()) this.#parts.session.mark('content', summary, channel)
    this.#outcome({ statement, rows: 0, bytes: sizeBytes, durationMs: performance.now() - began }, error)
  }

  #outcome(outcome: Outcome, error: string | undefined): void {
    this.#parts.session.outcome(error === undefined ? outcome : { ...outcome, error })
  }

  #recordContent(from: 'client' | 'upstream', file: OpenFile, kept: Buffer): void {
    if (kept.length > 0) this.#parts.session.record(from, kept, file.channel)
  }
}

function errorIn(bytes: Buffer, fields: Fields): string | undefined {
  const code = bytes[4] === kinds.status ? fields.uint32() : statusCodes.ok
  return code === statusCodes.ok ? undefined : `SFTP status ${code}`
}

/** The long forms of a listing (`ls -l`), a line each, as the client shows them. */
function namesIn(fields: Fields): Buffer {
  const count = fields.uint32()
  const lines: string[] = []
  for (let index = 0; index < count; index += 1) {
    const name = fields.text()
    const long = fields.text()
    skipAttributes(fields)
    lines.push(`${long === '' ? name : long}\n`)
  }
  return Buffer.from(lines.join(''))
}

/** Section 5 of the draft. */
function skipAttributes(fields: Fields): void {
  const flags = fields.uint32()
  if ((flags & 1) !== 0) fields.uint64()
  if ((flags & 2) !== 0) for (let index = 0; index < 2; index += 1) fields.uint32()
  if ((flags & 4) !== 0) fields.uint32()
  if ((flags & 8) !== 0) for (let index = 0; index < 2; index += 1) fields.uint32()
  if ((flags & 0x80000000) === 0) return
  const count = fields.uint32()
  for (let index = 0; index < count; index += 1) {
    fields.string()
    fields.string()
  }
}
