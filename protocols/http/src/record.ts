// An exchange as it is kept: both messages in the notation of HTTP/1.1, whatever version they came by, without the values of secret
// fields. Of a body that is longer than the target's limit the rest is kept as a digest.

import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'
import type { Session, Side } from '@sallyport/core'
import { coverQuery, holdsToken, secretNamesOf } from './headers.js'
import type { Fields } from './message.js'
import type { Shown } from './routing.js'

const covered = '[covered]'

/** What the caller showed stays out, wherever else it was put. */
export function recordable(fields: Fields, shown: Shown): Fields {
  return fields.flatMap(([name, value]) => {
    if (shown.carriers.includes(name)) return []
    return [[name, holdsToken(value, shown.token) ? covered : value] as const]
  })
}

interface Kept {
  bytes: number
  /** Most bodies come in one piece, of which no digest is needed. */
  readonly first: Buffer
  digest: Hash | undefined
}

export class ExchangeRecord {
  readonly #session: Session
  readonly #statement: number
  readonly #limit: number
  readonly #secret: ReadonlySet<string>
  readonly #sides = new Map<Side, Kept>()

  constructor(session: Session, statement: number) {
    this.#session = session
    this.#statement = statement
    this.#limit = session.target.http?.recordBodyBytes ?? 0
    this.#secret = secretNamesOf(session.target)
  }

  request(method: string, path: string, headers: Iterable<readonly [string, string]>): void {
    this.#head('client', `${method} ${coverQuery(path, this.#session.target)} HTTP/1.1`, headers)
  }

  response(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
    const each = Object.entries(headers).flatMap(([name, value]) =>
      (typeof value === 'string' ? [value] : value).map((one) => [name, one] as const),
    )
    this.#head('upstream', `HTTP/1.1 ${status}`, each)
  }

  body(side: Side, chunk: Buffer): void {
    if (chunk.length === 0) return
    let kept = this.#sides.get(side)
    const first = kept === undefined
    if (kept === undefined) this.#sides.set(side, (kept = { bytes: 0, first: chunk, digest: undefined }))
    const left = this.#limit - kept.bytes
    kept.bytes += chunk.length
    if (!first) {
      kept.digest ??= createHash('sha256').update(kept.first)
      kept.digest.update(chunk)
    }
    if (left > 0) this.#session.record(side, chunk.length <= left ? chunk : chunk.subarray(0, left), this.#statement)
  }

  bytes(side: Side): number {
    return this.#sides.get(side)?.bytes ?? 0
  }

  /** After the last piece of a body. */
  ended(side: Side): void {
    const kept = this.#sides.get(side)
    if (kept === undefined || kept.bytes <= this.#limit) return
    const digest = kept.digest ?? createHash('sha256').update(kept.first)
    const name = side === 'client' ? 'request body' : 'response body'
    this.#session.mark(
      name,
      `${kept.bytes} bytes, sha256 ${digest.digest('hex')}, of which ${this.#limit} are kept`,
      this.#statement,
    )
  }

  mark(name: string, detail: string): void {
    this.#session.mark(name, detail, this.#statement)
  }

  trailers(what: 'request trailers' | 'response trailers', fields: Iterable<readonly [string, string]>): void {
    this.mark(what, this.#lines(fields).join('; '))
  }

  #lines(fields: Iterable<readonly [string, string]>): readonly string[] {
    return [...fields].map(([name, value]) => `${name}: ${this.#secret.has(name) ? covered : value}`)
  }

  #head(side: Side, first: string, headers: Iterable<readonly [string, string]>): void {
    const lines = [first, ...this.#lines(headers)]
    this.#session.record(side, Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), this.#statement)
  }
}
