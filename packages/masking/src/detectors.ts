// Kinds of value told by what they look like. Built in and reviewed: every expression takes linear time, and what can be checked by a
// sum (cards, IBANs) is, so that an order number is not taken for a card.

import type { DetectorName } from '@sallyport/core'

interface Detector {
  readonly pattern: RegExp
  readonly holds?: (found: string) => boolean
}

const detectors: Readonly<Record<DetectorName, Detector>> = {
  email: { pattern: /(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])/g },
  card: { pattern: /(?<![\dA-Za-z])\d(?:[ -]?\d){12,18}(?![\dA-Za-z])/g, holds: isCard },
  iban: { pattern: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])/g, holds: isIban },
  ssn: { pattern: /(?<![\d-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])/g },
  phone: {
    pattern:
      /(?<![\dA-Za-z+])(?:\+\d{1,3}[ .-]?)(?:\(?\d{1,4}\)?[ .-]?){2,5}\d{2,4}(?!\d)|(?<![\dA-Za-z])\(\d{3}\) ?\d{3}-\d{4}(?!\d)|(?<![\dA-Za-z-])\d{3}[.-]\d{3}[.-]\d{4}(?![\d-])/g,
  },
  secret: {
    pattern:
      /(?<![A-Za-z0-9_-])(?:A[KS]IA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,64}|sk-[A-Za-z0-9_-]{20,255}|sk_live_[A-Za-z0-9]{16,255}|xox[abprs]-[A-Za-z0-9-]{10,255}|AIza[0-9A-Za-z_-]{35}|sp_[0-9A-Za-z]{20,128}|eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,4096})|-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[A-Za-z0-9+/=\s\\]{0,16384}(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?/g,
  },
}

/** The text with every such value replaced. */
export function replaceFound(text: string, name: DetectorName, replace: (found: string) => string): string {
  const { pattern, holds } = detectors[name]
  return text.replace(pattern, (found) => (holds === undefined || holds(found) ? replace(found) : found))
}

export function spansFound(text: string, name: DetectorName): readonly (readonly [start: number, end: number])[] {
  const { pattern, holds } = detectors[name]
  const spans: (readonly [number, number])[] = []
  for (const match of text.matchAll(pattern)) {
    if (holds === undefined || holds(match[0])) spans.push([match.index, match.index + match[0].length])
  }
  return spans
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
