// What was typed into a terminal, told apart from what is not to be known: a line is kept only where the remote end showed all of it.
// A password is not shown while it is typed, so no part of it is ever kept. The output is the evidence; this is an aid.

/** A line longer than this is a paste, or the input of a program that shows nothing. */
const maxLineBytes = 4_096
const carriageReturn = 13
const lineFeed = 10

export class EchoedInput {
  /** Typed since the last line that was settled. */
  #typed: number[] = []
  /** How many of those were shown. */
  #shown = 0
  #overlong = false

  /** The client typed these. */
  typed(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#typed.length >= maxLineBytes) this.#overlong = true
      else this.#typed.push(byte)
    }
  }

  /** The remote end printed these; answers with lines that were typed and shown, each with its end. */
  printed(bytes: Uint8Array): Buffer[] {
    const lines: Buffer[] = []
    if (this.#overlong) this.#forget()
    for (const byte of bytes) {
      if (this.#shown >= this.#typed.length) break
      const next = this.#typed[this.#shown]
      // Enter is shown as carriage return and line feed.
      if (byte === lineFeed && next !== lineFeed && this.#shown > 0 && this.#typed[this.#shown - 1] === carriageReturn) continue
      if (byte !== next) {
        this.#forget()
        break
      }
      this.#shown += 1
      if (next !== carriageReturn) continue
      lines.push(Buffer.from(this.#typed.slice(0, this.#shown)))
      this.#typed = this.#typed.slice(this.#shown)
      this.#shown = 0
    }
    // Only what was typed ahead of an answer may still be shown; anything else that came is no echo.
    return lines
  }

  #forget(): void {
    this.#typed = []
    this.#shown = 0
    this.#overlong = false
  }
}
