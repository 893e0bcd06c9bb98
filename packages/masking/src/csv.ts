// CSV by column (RFC 4180). The first record names the columns; what cannot be told for sure is not let through.

import type { Transform } from '@sallyport/core'
import type { Masker } from './masker.js'
import { Unmaskable } from './unmaskable.js'

const maxRecordBytes = 4 * 1024 * 1024
const separators = [',', ';', '\t', '|'] as const

export class CsvMask {
  readonly #masker: Masker
  #separator: string | undefined
  #columns: readonly (Transform | undefined)[] | undefined
  #rest = ''
  /** Where the look for the end of the first record stopped, and whether inside quotes. */
  #looked = { at: 0, quoted: false }
  readonly #decoder = new TextDecoder('utf-8', { fatal: true })

  constructor(masker: Masker, separator?: string) {
    this.#masker = masker
    this.#separator = separator
  }

  push(chunk: Buffer): Buffer {
    return this.#take(this.#decoded(chunk, true), false)
  }

  end(): Buffer {
    return this.#take(this.#decoded(Buffer.alloc(0), false), true)
  }

  #decoded(chunk: Buffer, stream: boolean): string {
    try {
      return this.#decoder.decode(chunk, { stream })
    } catch {
      throw new Unmaskable('the CSV is not UTF-8')
    }
  }

  #take(text: string, last: boolean): Buffer {
    const all = this.#rest + text
    let out = ''
    let from = 0
    for (;;) {
      const end = this.#recordEnd(all, from, last)
      if (end < 0) break
      out += this.#record(all.slice(from, end))
      from = end
    }
    this.#rest = all.slice(from)
    this.#looked.at -= from
    if (this.#rest.length > maxRecordBytes) throw new Unmaskable('a CSV record is too long to be looked into')
    if (last && this.#rest !== '') throw new Unmaskable('the CSV ends inside a quoted cell')
    return Buffer.from(out, 'utf8')
  }

  /** Just after the line break of the record that begins at `from`; -1 where it has not come. */
  #recordEnd(text: string, from: number, last: boolean): number {
    const looked = this.#looked
    while (looked.at < text.length) {
      const character = text[looked.at]
      if (character === '\r' && !looked.quoted && looked.at + 1 === text.length && !last) return -1
      looked.at += 1
      if (character === '"') looked.quoted = !looked.quoted
      else if (character === '\n' && !looked.quoted) return looked.at
      else if (character === '\r' && !looked.quoted) {
        if (text[looked.at] === '\n') looked.at += 1
        return looked.at
      }
    }
    return last && !looked.quoted && text.length > from ? text.length : -1
  }

  #record(raw: string): string {
    const ending = /\r?\n$|\r$/.exec(raw)?.[0] ?? ''
    const body = raw.slice(0, raw.length - ending.length)
    if (body === '') return raw
    this.#separator ??= separatorOf(body)
    const separator = this.#separator
    const cells = cellsOf(body, separator)
    if (this.#columns === undefined) {
      this.#columns = this.#header(cells)
      // It may be no header but the first row.
      return cells.map((cell) => this.#cell(cell, undefined, separator)).join(separator) + ending
    }
    const columns = this.#columns
    if (this.#masker.byField && cells.length !== columns.length)
      throw new Unmaskable('a CSV record has other columns than the first')
    return cells.map((cell, index) => this.#cell(cell, columns[index], separator)).join(separator) + ending
  }

  #header(cells: readonly string[]): readonly (Transform | undefined)[] {
    const names = cells.map((cell) => contentOf(cell).trim())
    // One cell that holds another separator: the columns were not told apart.
    if (
      this.#masker.byField &&
      cells.some((cell) => !cell.startsWith('"') && separators.some((separator) => cell.includes(separator)))
    ) {
      throw new Unmaskable('the columns of the CSV cannot be told apart')
    }
    return names.map((name) => this.#masker.forField(`$.${name}`))
  }

  #cell(raw: string, transform: Transform | undefined, separator: string): string {
    const content = contentOf(raw)
    const masked =
      transform === undefined ? this.#masker.text(content) : content === '' ? '' : (this.#masker.value(content, transform) ?? '')
    if (masked === content) return raw
    return raw.startsWith('"') || /["\r\n]/.test(masked) || masked.includes(separator)
      ? `"${masked.replaceAll('"', '""')}"`
      : masked
  }
}

function separatorOf(header: string): string {
  const bare = header.replaceAll(/"(?:[^"]|"")*"/g, '')
  const counted = separators.map((separator) => [separator, bare.split(separator).length - 1] as const)
  return counted.reduce((best, each) => (each[1] > best[1] ? each : best))[0]
}

function cellsOf(record: string, separator: string): readonly string[] {
  const cells: string[] = []
  let quoted = false
  let from = 0
  for (let at = 0; at < record.length; at += 1) {
    if (record[at] === '"') quoted = !quoted
    else if (record[at] === separator && !quoted) {
      cells.push(record.slice(from, at))
      from = at + 1
    }
  }
  return [...cells, record.slice(from)]
}

function contentOf(raw: string): string {
  const bare = raw.trim()
  return bare.startsWith('"') && bare.endsWith('"') && bare.length >= 2 ? bare.slice(1, -1).replaceAll('""', '"') : raw
}
