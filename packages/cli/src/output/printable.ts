// Recorded text may hold anything; on a terminal it must not move the cursor, change colours, rename the window or reorder letters.

/** Controls but line feed and tab, and the invisible characters that change how others are shown (Unicode UAX #9, section 2). */
const UNSAFE = /[\p{Cc}\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]/gu

/** Line feeds and tabs stay; every other unsafe character is written as an escape. */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, (character) => (character === '\n' || character === '\t' ? character : escaped(character)))
}

/** On one line, and no longer than `most` characters. */
export function oneLine(text: string, most = 120): string {
  const line = printable(text).replaceAll(/\s+/g, ' ').trim()
  const letters = Array.from(line)
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : line
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
}
