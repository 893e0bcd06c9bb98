// What a program prints, masked by detectors before it is shown: text goes on as soon as nothing that comes can make a value of its end. What is
// not text, or is drawn all over a screen, cannot be looked into: then nothing more of it is shown.

import { Unmaskable } from '@sallyport/masking'
import type { Masker } from '@sallyport/masking'

/** A line longer than this is no line that people read. */
const maxHeldCharacters = 256 * 1024
/** A line of input that is longer is a paste; what is shown of it is looked into like anything else. */
const maxTypedCharacters = 4_096

/** Values without spaces in them are made of these. */
const unbroken = /[A-Za-z0-9._%+@(-]/
/** Of what else a value may be made: cards, telephone numbers and IBANs have spaces between their parts, and all of them digits. */
const spaced = /[ )]/

/* oxlint-disable no-control-regex -- control characters are what is looked for */
/**
 * Controls of a terminal (ECMA-48; xterm's "ctlseqs") after which text still stands where it was printed: colours, titles, the cursor's look,
 * editing of the line one is in, and a screen that is cleared from its beginning. A title's text stays in: it is shown.
 */
const still = /\u001b(?:\[[\d;:]*m|\[\d*[CDKP@]|\[\?[\d;]*[hl]|\[H|\[[0-3]?J|[=>]|\(B|\]\d{1,4};|\\)/y
/** Control characters, also those by which some terminals take the place of the sequences above. */
const notOfText = /[\0-\u0008\u000b\u000e-\u001a\u001c-\u001f\u007f-\u009f]/
/** A terminal rings, and goes back over a character that is corrected. */
const notOfTerminals = /[\0-\u0006\u000b\u000e-\u001a\u001c-\u001f\u007f-\u009f]/
/** The other screen, on which programs draw. */
const otherScreen = /\u001b\[\?(?:[\d;]*;)?(?:47|1047|1049)(?:;[\d;]*)?h/
/** A control that may not be all there yet. */
const begun = /\u001b(?:\[[\d;:?]{0,32}|\]\d{0,4}|\()?$/
/* oxlint-enable no-control-regex */
/** A private key takes many lines. */
const keyBegins = '-----BEGIN '

export class ShownText {
  readonly #masker: Masker
  readonly #terminal: boolean
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  #held = ''
  /** Typed by the caller and not shown so far. */
  #typed = ''
  /** How much of the end of what is held is what the caller typed. */
  #echoed = 0

  constructor(masker: Masker, terminal: boolean) {
    this.#masker = masker
    this.#terminal = terminal
  }

  /** A terminal shows what is typed; that is no secret of the program's. */
  typed(bytes: Uint8Array): void {
    const typed = this.#typed + Buffer.from(bytes).toString('utf8')
    this.#typed = typed.length > maxTypedCharacters ? '' : typed
  }

  /** What can be shown by now. Throws Unmaskable. */
  push(bytes: Uint8Array): Buffer {
    return this.#take(
      this.#decoded(() => this.#decoder.decode(bytes, { stream: true })),
      false,
    )
  }

  /** What was held back. Throws Unmaskable. */
  end(): Buffer {
    return this.#take(
      this.#decoded(() => this.#decoder.decode()),
      true,
    )
  }

  #decoded(decode: () => string): string {
    try {
      return decode()
    } catch (error) {
      if (error instanceof TypeError) throw new Unmaskable('what it prints is not text in UTF-8')
      throw error
    }
  }

  #take(text: string, ended: boolean): Buffer {
    if (this.#terminal) this.#tellEcho(text)
    this.#held += text
    const whole = ended ? this.#held.length : this.#held.length - (begun.exec(this.#held)?.[0].length ?? 0)
    const { plain, origins } = this.#plainOf(this.#held.slice(0, whole))
    const cut = ended ? plain.length : this.#cut(plain)
    const rawCut = cut === plain.length ? whole : (origins?.[cut] ?? cut)
    const shown = this.#masked(this.#held.slice(0, rawCut), plain.slice(0, cut))
    this.#held = this.#held.slice(rawCut)
    if (this.#held.length > maxHeldCharacters) throw new Unmaskable('a line of what it prints is too long to be looked into')
    return Buffer.from(shown, 'utf8')
  }

  #masked(raw: string, plain: string): string {
    const masked = this.#masker.text(plain)
    if (masked === plain) return raw
    // The colours stood inside what is not shown any more.
    return raw === plain ? masked : `${masked}\u001b[m`
  }

  /** Counts how much of the end is what was typed: the terminal's echo, a character at a time. Enter is shown as carriage return and line feed. */
  #tellEcho(text: string): void {
    for (const character of text) {
      if (this.#typed !== '' && this.#typed.startsWith(character)) {
        this.#typed = this.#typed.slice(character.length)
        this.#echoed += character.length
      } else {
        this.#echoed = 0
        if (character !== '\n') this.#typed = ''
      }
    }
  }

  /** Without the controls, and where each character stood. Throws Unmaskable for a control that moves text about. */
  #plainOf(raw: string): { readonly plain: string; readonly origins?: readonly number[] } {
    if ((this.#terminal ? notOfTerminals : notOfText).test(raw)) throw new Unmaskable('what it prints is not text')
    if (!raw.includes('\u001b')) return { plain: raw }
    if (otherScreen.test(raw)) throw drawn()
    const kept: string[] = []
    const origins: number[] = []
    for (let at = 0; at < raw.length;) {
      if (raw[at] === '\u001b') {
        still.lastIndex = at
        const control = still.exec(raw)
        if (control === null) throw drawn()
        at += control[0].length
        continue
      }
      kept.push(raw[at] as string)
      origins.push(at)
      at += 1
    }
    return { plain: kept.join(''), origins }
  }

  /** Up to where no value can begin that goes on in what comes. */
  #cut(plain: string): number {
    // What the caller typed ends nothing and begins nothing.
    const told = plain.length - Math.min(this.#echoed, plain.length)
    const free = this.#freeOf(plain, told)
    return free === told ? plain.length : free
  }

  /** Whether a private key has begun and its end has not come. */
  #goesOn(key: string): boolean {
    return this.#masker.spans(key).some(([, stop]) => stop === key.length || /^-[-A-Z ]{0,63}$/.test(key.slice(stop)))
  }

  #freeOf(plain: string, told: number): number {
    const key = plain.lastIndexOf(keyBegins, told)
    const end = key >= 0 && (told - key < keyLine || this.#goesOn(plain.slice(key, told))) ? key : told
    let run = end
    while (run > 0 && unbroken.test(plain[run - 1] as string)) run -= 1
    let tail = run
    while (tail > 0 && (spaced.test(plain[tail - 1] as string) || unbroken.test(plain[tail - 1] as string))) tail -= 1
    if (!/\d|\+/.test(plain.slice(tail, end))) return run
    while (tail < end && plain[tail] === ' ') tail += 1
    return tail
  }
}

/** Longer than the first line of any private key. */
const keyLine = 64

function drawn(): Unmaskable {
  return new Unmaskable('it draws on the screen instead of printing lines')
}
