// The `text` criterion: an operator's regular expression over a text a caller wrote. Matched in linear time (RE2), since a
// backtracking engine would let one statement stall every session.

import { RE2JS } from 're2js'

/** Longer patterns are programs, not patterns. */
const maxPatternLength = 1_000
/** The slowest pattern takes about 1 us a character: this bounds one evaluation to some tens of milliseconds. */
const maxTextLength = 65_536

/** Whether the text holds the pattern; 'error' where the text is too long to be searched. */
export type Expression = (text: string) => boolean | 'error'

export function compileExpression(pattern: string): Expression {
  const fault = lengthFault(pattern)
  if (fault !== undefined) throw new SyntaxError(fault)
  const compiled = RE2JS.compile(pattern)
  return (text) => (text.length > maxTextLength ? 'error' : compiled.test(text))
}

/** What is wrong with the pattern, or undefined. */
export function expressionFault(pattern: string): string | undefined {
  try {
    compileExpression(pattern)
    return undefined
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    return `${said} (RE2 syntax: no lookaround, no back references, no repeat above 1000)`
  }
}

function lengthFault(pattern: string): string | undefined {
  if (pattern === '') return 'an empty pattern matches every text; leave the key out'
  return pattern.length > maxPatternLength ? `the pattern has more than ${maxPatternLength} characters` : undefined
}
