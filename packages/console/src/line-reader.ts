// Cuts an answer that comes piece by piece into its lines.

/** The longest line of a replay is one row of many long cells: a few megabytes. */
const MAX_LINE_CHARACTERS = 16 * 1024 * 1024

export class LineReader {
  #rest: string[] = []
  #length = 0

  /** The lines that this piece completes. Throws where a line never ends. */
  push(piece: string): readonly string[] {
    const lines = piece.split('\n')
    const last = lines.pop() ?? ''
    const first = lines[0]
    if (first !== undefined) {
      lines[0] = this.#rest.join('') + first
      this.#rest = []
      this.#length = 0
    }
    this.#rest.push(last)
    this.#length += last.length
    if (this.#length > MAX_LINE_CHARACTERS) throw new Error('the answer has a line that is too long')
    return lines.filter((line) => line !== '')
  }
}
