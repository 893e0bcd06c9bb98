// A recording as people read it: the same message code as on the wire, run over the bytes that the client saw.

import { narrate, shortened, statementText } from '@sallyport/core'
import type { Frame, Line } from '@sallyport/core'
import { ByteQueue } from '@sallyport/wire'
import { fromUpstream, readDataRow, readFields, readRowDescription, Body } from './messages.js'
import type { Column } from './messages.js'
import { readableValues } from './parameters.js'

/** Cells of a row longer than this are cut in the transcript, saying so; the recording keeps them whole. */
const maxCellCharacters = 2_000
/** The longest message that is printed; longer rows are named by their size. */
const maxPrintedBytes = 16 * 1024 * 1024

export function transcribe(frames: AsyncIterable<Frame>): AsyncIterable<Line> {
  const responses = new Transcript()
  return narrate(frames, (frame) => {
    const { at } = frame
    if (frame.kind === 'statement') return [{ at, from: 'client', text: statementText(frame.statement, '$') }]
    if (frame.kind !== 'bytes') return undefined
    if (frame.from === 'client') return [{ at, from: 'client', text: `COPY data, ${frame.bytes.length} bytes` }]
    return responses.read(Buffer.from(frame.bytes)).map((text) => ({ at, from: 'upstream', text }))
  })
}

class Transcript {
  readonly #queue = new ByteQueue()
  #columns: readonly Column[] = []
  /** Bytes of a message that is too long to print. */
  #skip = 0

  read(bytes: Buffer): string[] {
    this.#queue.push(bytes)
    const texts: string[] = []
    for (;;) {
      if (this.#skip > 0 && this.#queue.length > 0) this.#skip -= this.#queue.takeSome(this.#skip).length
      if (this.#skip > 0 || this.#queue.length < 5) return texts
      const size = this.#queue.uint32At(1) + 1
      if (size > maxPrintedBytes) {
        this.#skip = size
        texts.push(`(a message of ${size} bytes)`)
        continue
      }
      if (this.#queue.length < size) return texts
      const text = this.#print(this.#queue.take(size))
      if (text !== undefined) texts.push(text)
    }
  }

  #print(bytes: Buffer): string | undefined {
    switch (bytes.readUInt8(0)) {
      case fromUpstream.rowDescription:
        this.#columns = readRowDescription(bytes)
        return this.#columns.map((column) => column.name).join(' | ')
      case fromUpstream.dataRow:
        return this.#row(bytes)
      case fromUpstream.commandComplete:
        return new Body(bytes, 'upstream').text()
      case fromUpstream.error:
      case fromUpstream.notice:
        return printFields(readFields(bytes))
      case fromUpstream.copyData:
        return shortened(bytes.subarray(5).toString('utf8').replace(/\n$/, ''), maxCellCharacters)
      case fromUpstream.notification: {
        const body = new Body(bytes, 'upstream', 9)
        return `notification ${body.text()}: ${body.text()}`
      }
      default:
        return undefined
    }
  }

  #row(bytes: Buffer): string {
    const cells = readDataRow(bytes)
    const formats = this.#columns.length === cells.length ? this.#columns.map((column) => column.format) : []
    const types = this.#columns.map((column) => column.typeOid)
    return readableValues(cells, formats.length === 1 ? [formats[0] as number, 0] : formats, types)
      .map((value) => (value === null ? 'NULL' : shortened(value, maxCellCharacters)))
      .join(' | ')
  }
}

function printFields(fields: Readonly<Record<string, string>>): string {
  const more = [fields['D'] && `DETAIL: ${fields['D']}`, fields['H'] && `HINT: ${fields['H']}`].filter(Boolean)
  return [`${fields['S'] ?? 'ERROR'} ${fields['C'] ?? ''}: ${fields['M'] ?? ''}`, ...more].join('\n  ')
}
