// Recorded text may hold anything: here every character that shows nothing, moves others or hides them gets a sign of its own.

export interface Piece {
  readonly kind: 'text' | 'control'
  readonly text: string
}

/**
 * Controls, formats (among them all that reorder letters: Unicode UAX #9), surrogates, private and unassigned; separators and blanks that
 * are no plain space; letters that are drawn as nothing; and every mark from the third on that piles up on one letter.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}|(?<=\p{M}{2})\p{M}/gu

/** A text made of nothing but signs would be a page of a hundred thousand elements; beyond so many the signs become part of the text. */
const MAX_PIECES = 2000

/** Line feeds and tabs stay as they are. */
export function visible(text: string): readonly Piece[] {
  const pieces: Piece[] = []
  let plain = ''
  const flush = (): void => {
    if (plain !== '') pieces.push({ kind: 'text', text: plain })
    plain = ''
  }
  let from = 0
  for (const { sign, start, end } of signs(text)) {
    plain += text.slice(from, start)
    from = end
    if (pieces.length >= MAX_PIECES) plain += `‹${sign}›`
    else {
      flush()
      pieces.push({ kind: 'control', text: sign })
    }
  }
  plain += text.slice(from)
  flush()
  return pieces
}

/** The same as one string, for where there is room for text only: titles, values, names read aloud. */
export function plainly(text: string): string {
  return visible(text)
    .map((piece) => (piece.kind === 'text' ? piece.text : `‹${piece.text}›`))
    .join('')
}

interface Sign {
  readonly sign: string
  readonly start: number
  readonly end: number
}

/** One sign for a run of the same character. */
function* signs(text: string): Generator<Sign> {
  let run: { readonly character: string; readonly start: number; end: number; times: number } | undefined
  const signOf = ({ character, start, end, times }: NonNullable<typeof run>): Sign => ({
    sign: times === 1 ? nameOf(character) : `${nameOf(character)} ×${times}`,
    start,
    end,
  })
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    if (character === '\n' || character === '\t') continue
    if (run !== undefined && run.character === character && run.end === index) {
      run.end += character.length
      run.times += 1
      continue
    }
    if (run !== undefined) yield signOf(run)
    run = { character, start: index, end: index + character.length, times: 1 }
  }
  if (run !== undefined) yield signOf(run)
}

const NAMES: Readonly<Record<number, string>> = {
  0x00: 'NUL',
  0x07: 'BEL',
  0x08: 'BS',
  0x0d: 'CR',
  0x1b: 'ESC',
  0x7f: 'DEL',
  0xa0: 'NBSP',
}

function nameOf(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return NAMES[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, '0')}`
}

/** At most so many characters, with what was left out; never through the middle of a character. */
export function cut(text: string, most: number): { readonly text: string; readonly left: number } {
  if (text.length <= most) return { text, left: 0 }
  const last = text.charCodeAt(most - 1)
  const end = last >= 0xd800 && last <= 0xdbff ? most - 1 : most
  return { text: text.slice(0, end), left: text.length - end }
}
