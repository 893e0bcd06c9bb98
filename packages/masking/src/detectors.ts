// Kinds of value told by what they look like. Built in and reviewed: every expression takes linear time, and what can be checked by a
// sum (cards, IBANs) is, so that an order number is not taken for a card.

import type { DetectorName } from '@sallyport/core'

interface Detector {
  readonly pattern: RegExp
  /** Whether it is one, where the pattern alone does not tell. Then what the pattern found may also begin with one, or hold it. */
  readonly holds?: (found: string) => boolean
}

const detectors: Readonly<Record<DetectorName, Detector>> = {
  email: { pattern: /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}/g },
  card: { pattern: /(?<!\d|(?<!\\)[A-Za-z])\d(?:[ -]?\d){12,18}(?![\dA-Za-z])/g, holds: isCard },
  iban: {
    pattern: /(?<!\d|(?<!\\)[A-Za-z])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])/g,
    holds: isIban,
  },
  ssn: { pattern: /(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])/g },
  phone: {
    pattern:
      /(?<![\dA-Za-z+])(?:\+\d{1,3}[ .-]?)(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}(?!\d)|(?<![\dA-Za-z])\(\d{3}\) ?\d{3}-\d{4}(?!\d)|(?<![\dA-Za-z-])\d{3}[.-]\d{3}[.-]\d{4}(?![\d-])/g,
  },
  secret: {
    pattern:
      /(?<![A-Za-z0-9_-])(?:A[KS]IA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,64}|sk-[A-Za-z0-9_-]{20,255}|sk_live_[A-Za-z0-9]{16,255}|xox[abprs]-[A-Za-z0-9-]{10,255}|AIza[0-9A-Za-z_-]{35}|sp_[0-9A-Za-z]{20,128}|eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096})|-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----(?:[A-Za-z0-9+/=\s\\:,]|-(?!----)){0,16384}(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?/g,
  },
}

/** The text with every such value replaced. */
export function replaceFound(text: string, name: DetectorName, replace: (found: string) => string): string {
  let out = ''
  let from = 0
  for (const [start, end] of spansFound(text, name)) {
    out += text.slice(from, start) + replace(text.slice(start, end))
    from = end
  }
  return from === 0 ? text : out + text.slice(from)
}

export function spansFound(text: string, name: DetectorName): readonly (readonly [start: number, end: number])[] {
  const { pattern, holds } = detectors[name]
  const spans: (readonly [number, number])[] = []
  const looking = new RegExp(pattern)
  // A value may begin inside of what was none: `12 4111 1111 1111 1111`.
  let inside = -1
  for (let match = looking.exec(text); match !== null; match = looking.exec(text)) {
    const { index } = match
    const end = holds === undefined ? looking.lastIndex : endHeld(text, index, looking.lastIndex, index <= inside, holds)
    if (end === undefined) {
      inside = Math.max(inside, looking.lastIndex)
      looking.lastIndex = index + (/[ -]/.exec(match[0])?.index ?? match[0].length)
      continue
    }
    spans.push([index, end])
    looking.lastIndex = end
  }
  return spans
}

/** Where the longest value ends that begins at `start`, no later than `last`: what comes after it may look like more of it. */
function endHeld(
  text: string,
  start: number,
  last: number,
  inside: boolean,
  holds: (found: string) => boolean,
): number | undefined {
  const whole = text.slice(start, last)
  if ((!inside || inGroups(whole)) && holds(whole)) return last
  for (let end = last - 1; end - start >= shortest; end -= 1) {
    if (text[end] !== ' ' && text[end] !== '-') continue
    const found = text.slice(start, end)
    if (inGroups(found) && holds(found)) return end
  }
  return undefined
}

/** Of a card or an IBAN. */
const shortest = 13

/** As people write them, not any numbers that stand beside each other. */
function inGroups(found: string): boolean {
  return found.split(/[ -]/).every((group, index, all) => group.length >= 3 || index === all.length - 1)
}

/** ISO/IEC 7812-1, annex B. */
function isCard(found: string): boolean {
  const digits = found.replaceAll(/\D/g, '')
  if (digits.length < 13 || digits.length > 19 || /^(\d)\1+$/.test(digits)) return false
  const sum = digits.split('').reduceRight((total, digit, index) => {
    const doubled = Number(digit) * ((digits.length - index) % 2 === 1 ? 1 : 2)
    return total + (doubled > 9 ? doubled - 9 : doubled)
  }, 0)
  return sum % 10 === 0
}

/** ISO 13616-1: the check digits make the whole 1 modulo 97. */
function isIban(found: string): boolean {
  const bare = found.replaceAll(' ', '')
  if (bare.length < 15 || bare.length > 34) return false
  const turned = bare.slice(4) + bare.slice(0, 4)
  let rest = 0
  for (const character of turned) {
    const value = Number.parseInt(character, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}
