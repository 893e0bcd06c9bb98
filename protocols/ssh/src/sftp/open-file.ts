// A file or directory that is open: what was read from it and written to it so far.

import { Malformed } from '@sallyport/core'
import { Content } from '../content.js'

/** One direction of a file's content. Its hash is only told where it was passed in order, from the beginning, each byte once. */
class Passage {
  readonly #content = new Content()
  #expected = 0
  #inOrder = true

  /** Answers with the part to be recorded. */
  take(offset: number, data: Buffer): Buffer {
    if (offset !== this.#expected) this.#inOrder = false
    this.#expected = offset + data.length
    return this.#content.take(data)
  }

  get sizeBytes(): number {
    return this.#content.sizeBytes
  }

  summary(): string {
    const said = this.#content.summary()
    return this.#inOrder ? said : said.replace(/sha256 \w+/, 'not in order, so without a hash of the whole')
  }
}

export class OpenFile {
  readonly path: string
  readonly directory: boolean
  readonly statement: number
  /** The record's channel for what is read and written. */
  readonly channel: number
  readonly began = performance.now()
  readonly #read = new Passage()
  readonly #written = new Passage()
  #told = false

  constructor(facts: { readonly path: string; readonly directory: boolean; readonly statement: number; readonly channel: number }) {
    this.path = facts.path
    this.directory = facts.directory
    this.statement = facts.statement
    this.channel = facts.channel
  }

  /** Throws Malformed for what comes behind the end. */
  read(offset: number, data: Buffer): Buffer {
    if (this.#told) throw new Malformed('upstream', 'sftp-answer', 'an SFTP answer brings content of a file that is closed')
    return this.#read.take(offset, data)
  }

  write(offset: number, data: Buffer): Buffer {
    return this.#written.take(offset, data)
  }

  get sizeBytes(): number {
    return this.#read.sizeBytes + this.#written.sizeBytes
  }

  /** Call once, at the close. */
  summaries(): readonly string[] {
    this.#told = true
    return [
      ...(this.#read.sizeBytes > 0 ? [`${this.path} read: ${this.#read.summary()}`] : []),
      ...(this.#written.sizeBytes > 0 ? [`${this.path} written: ${this.#written.summary()}`] : []),
    ]
  }
}
