// The text a word of the shell stands for. `�` stands in it for each part that is only known when it runs.

import type { Word, WordPart } from 'unbash'
import { unknownText } from '@sallyport/core'

export function textOf(word: Word): string {
  const { parts } = word
  if (parts === undefined) return tilde(word, word.value)
  // It may become several words, so that nothing is known of where each begins and ends.
  if (parts.some(mayBecomeSeveral)) return unknownText
  return tilde(word, parts.map(partText).join(''))
}

function mayBecomeSeveral(part: WordPart): boolean {
  switch (part.type) {
    case 'SimpleExpansion':
    case 'ParameterExpansion':
    case 'CommandExpansion':
    case 'BraceExpansion':
      return true
    case 'DoubleQuoted':
    case 'LocaleString':
      return part.parts.some((inner) => inner.type.endsWith('Expansion') && /[@*]/.test(inner.text) && !inner.text.startsWith('$('))
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
    case 'Glob':
    case 'ExtendedGlob':
    case 'ArithmeticExpansion':
    case 'ProcessSubstitution':
      return false
  }
}

/** A `~` that is not quoted: our own home stays, another's is not known. */
function tilde(word: Word, text: string): string {
  if (!word.text.startsWith('~') || text === '~' || text.startsWith('~/')) {
    // A quoted tilde is a file of that name, in the directory one is in.
    return !word.text.startsWith('~') && (text === '~' || text.startsWith('~/')) ? `./${text}` : text
  }
  const slash = text.indexOf('/')
  return unknownText + (slash < 0 ? '' : text.slice(slash))
}

function partText(part: WordPart): string {
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return part.value
    case 'DoubleQuoted':
    case 'LocaleString':
      return part.parts.map(partText).join('')
    case 'Glob':
    case 'ExtendedGlob':
    case 'BraceExpansion':
    case 'SimpleExpansion':
    case 'ParameterExpansion':
    case 'CommandExpansion':
    case 'ArithmeticExpansion':
    case 'ProcessSubstitution':
      return unknownText
  }
}

export function isUnknown(text: string): boolean {
  return text.includes(unknownText)
}
