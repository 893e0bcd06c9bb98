// JSON read token by token as it arrives (RFC 8259), so that what is not changed stays byte for byte what it was: long numbers, spaces,
// repeated keys. Strings and numbers come whole to the visitor; nothing else is kept.

import { Unmaskable } from './unmaskable.js'

export interface Visitor {
  /** A key of the object that is open at this depth; another text to stand in its place, or undefined to leave it. */
  key?(name: string, depth: number): string | undefined
  /** An object or array begins; text that stands for the whole of it, or undefined to go into it. */
  open?(path: string, depth: number, array: boolean): string | undefined
  /** A string, number, true, false or null, as written; another text to stand in its place, or undefined to leave it. */
  scalar?(raw: Buffer, path: string): string | undefined
}

/** A longer string is no field that a rule was written for. */
const maxTokenBytes = 8 * 1024 * 1024
/** Parsers stop at about 1000. */
const maxDepth = 500

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const backslash = 0x5c
const openArray = 0x5b
const closeArray = 0x5d
const openObject = 0x7b
const closeObject = 0x7d

type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing'

interface Level {
  readonly array: boolean
  readonly path: string
  /** Of the key met last. */
  current: string
}

export class JsonWalk {
  readonly #visitor: Visitor
  readonly #levels: Level[] = []
  #expected: Expected = 'value'
  #rest: Buffer = Buffer.alloc(0)
  #begun = false
  /** Depth of a container that is left out; 0: none is. */
  #leftOut = 0

  constructor(visitor: Visitor) {
    this.#visitor = visitor
  }

  push(chunk: Buffer): Buffer {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    return this.#read(data, false)
  }

  /** Throws Unmaskable where the text is not whole. */
  end(): Buffer {
    const last = this.#read(this.#rest, true)
    if (this.#rest.length > 0 || this.#levels.length > 0 || this.#expected === 'value') {
      throw new Unmaskable('the JSON ends too early')
    }
    return last
  }

  #read(data: Buffer, last: boolean): Buffer {
    const out: Buffer[] = []
    let kept = 0
    let at = this.#begun ? 0 : skipMark(data)
    const keep = (to: number): void => {
      if (this.#leftOut === 0 && to > kept) out.push(data.subarray(kept, to))
      kept = to
    }
    const put = (from: number, to: number, text: string | undefined): void => {
      if (text === undefined) return
      keep(from)
      if (this.#leftOut === 0) out.push(Buffer.from(text, 'utf8'))
      kept = to
    }
    while (at < data.length) {
      const byte = data[at] as number
      if (isSpace(byte)) {
        at += 1
        continue
      }
      const end = tokenEnd(data, at, byte, last)
      if (end < 0) break
      this.#begun = true
      at = this.#token(data, at, end, byte, put, keep)
    }
    const stop = Math.min(at, data.length)
    keep(stop)
    this.#rest = Buffer.from(data.subarray(stop))
    if (this.#rest.length > maxTokenBytes) throw new Unmaskable('a JSON string is too long to be looked into')
    return out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out)
  }

  #token(
    data: Buffer,
    at: number,
    end: number,
    byte: number,
    put: (from: number, to: number, text: string | undefined) => void,
    keep: (to: number) => void,
  ): number {
    switch (byte) {
      case openObject:
      case openArray:
        this.#open(byte === openArray, (text) => {
          put(at, at, text)
          keep(at)
        })
        return end
      case closeObject:
      case closeArray:
        this.#close(byte === closeArray, () => keep(end))
        return end
      case colon:
        this.#expect('colon')
        this.#expected = 'value'
        return end
      case comma:
        this.#expect('comma-or-end')
        this.#expected = (this.#levels.at(-1) as Level).array ? 'value' : 'key'
        return end
      default:
        this.#scalarOrKey(data.subarray(at, end), byte === quote, (text) => put(at, end, text))
        return end
    }
  }

  #open(array: boolean, replace: (text: string | undefined) => void): void {
    this.#expect('value', 'value-or-end')
    if (this.#levels.length >= maxDepth) throw new Unmaskable('the JSON is nested too deep')
    const path = this.#path()
    const text = this.#leftOut > 0 ? undefined : this.#visitor.open?.(path, this.#levels.length + 1, array)
    this.#levels.push({ array, path, current: path })
    this.#expected = array ? 'value-or-end' : 'key-or-end'
    if (text === undefined) return
    replace(text)
    this.#leftOut = this.#levels.length
  }

  #close(array: boolean, skipped: () => void): void {
    const level = this.#levels.at(-1)
    if (level === undefined || level.array !== array) throw new Unmaskable('the JSON is malformed')
    this.#expect('comma-or-end', array ? 'value-or-end' : 'key-or-end')
    if (this.#leftOut === this.#levels.length) {
      skipped()
      this.#leftOut = 0
    }
    this.#levels.pop()
    this.#after()
  }

  #scalarOrKey(raw: Buffer, isString: boolean, replace: (text: string | undefined) => void): void {
    if (this.#expected === 'key' || this.#expected === 'key-or-end') {
      if (!isString) throw new Unmaskable('the JSON is malformed')
      const name = textOf(raw)
      const level = this.#levels.at(-1) as Level
      level.current = `${level.path}.${name}`
      if (this.#leftOut === 0) replace(this.#visitor.key?.(name, this.#levels.length))
      this.#expected = 'colon'
      return
    }
    this.#expect('value', 'value-or-end')
    if (!isString && !/^(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)$/.test(raw.toString('latin1'))) {
      throw new Unmaskable('the JSON is malformed')
    }
    if (this.#leftOut === 0) replace(this.#visitor.scalar?.(raw, this.#path()))
    this.#after()
  }

  #path(): string {
    return this.#levels.at(-1)?.current ?? '$'
  }

  #after(): void {
    this.#expected = this.#levels.length > 0 ? 'comma-or-end' : 'nothing'
  }

  #expect(...any: readonly Expected[]): void {
    if (!any.includes(this.#expected)) throw new Unmaskable('the JSON is malformed')
  }
}

/** What a raw string says. Throws Unmaskable. */
export function textOf(raw: Buffer): string {
  const text = raw.toString('utf8')
  if (!text.includes('\\') && !hasControl(raw)) return text.slice(1, -1)
  try {
    return JSON.parse(text) as string
  } catch {
    throw new Unmaskable('a JSON string is malformed')
  }
}

function hasControl(raw: Buffer): boolean {
  return raw.some((byte) => byte < 0x20)
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

/** A byte order mark that some servers put before their JSON. */
function skipMark(data: Buffer): number {
  return data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf ? 3 : 0
}

/** Where the token that begins at `at` ends, or -1 where its end has not come yet. */
function tokenEnd(data: Buffer, at: number, byte: number, last: boolean): number {
  if (byte === quote) return stringEnd(data, at)
  if (byte === openObject || byte === openArray || byte === closeObject || byte === closeArray || byte === colon || byte === comma)
    return at + 1
  let end = at
  while (end < data.length && isWordByte(data[end] as number)) end += 1
  if (end === at) throw new Unmaskable('the JSON is malformed')
  return end < data.length || last ? end : -1
}

function stringEnd(data: Buffer, at: number): number {
  for (let from = at + 1; ;) {
    const found = data.indexOf(quote, from)
    if (found < 0) return -1
    let slashes = 0
    while (data[found - 1 - slashes] === backslash && found - 1 - slashes > at) slashes += 1
    if (slashes % 2 === 0) return found + 1
    from = found + 1
  }
}

/** Letters, digits, + - and the point. */
function isWordByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2b ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x45
  )
}
