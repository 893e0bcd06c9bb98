// Understandings and rewritings of MySQL texts, remembered. The grammar is our own and takes time linear in the text, so it needs no thread.

import { Remembered } from '@sallyport/core'
import type { Mask } from '@sallyport/core'
import type { Rewriting } from '../understanding.js'
import { maskMysql } from './masking.js'
import { understandMysql } from './understand.js'
import type { MysqlContext, MysqlUnderstanding } from './understand.js'

const understandings = { entries: 20_000, weight: 64 * 1024 * 1024 }
const rewritings = { entries: 10_000, weight: 32 * 1024 * 1024 }
/** An understanding is a few times its text, and at least this. */
const baseWeight = 1_000

export interface MysqlReader {
  /** `bytes`: the text as a byte string (latin1). The same object for the same text and context while it is remembered. Never throws. */
  understand(bytes: string, context: MysqlContext): MysqlUnderstanding
  /** The rewritten text is a byte string too. */
  mask(bytes: string, context: MysqlContext, masks: readonly Mask[], salt: string): Rewriting
}

export function openMysqlReader(): MysqlReader {
  const understood = new Remembered<string, MysqlUnderstanding>(understandings)
  const rewritten = new Remembered<string, Rewriting>(rewritings)
  const contexts = new WeakMap<MysqlContext, number>()
  let last = 0
  const contextKey = (context: MysqlContext): number => {
    const known = contexts.get(context) ?? ++last
    contexts.set(context, known)
    return known
  }
  return {
    understand: (bytes, context) => {
      const key = `${contextKey(context)} ${bytes}`
      const known = understood.get(key)
      if (known !== undefined) return known
      const made = understandMysql(bytes, context)
      understood.set(key, made, baseWeight + key.length * 6)
      return made
    },
    mask: (bytes, context, masks, salt) => {
      const key = `${contextKey(context)} ${JSON.stringify([masks.map((mask) => [mask.column, mask.with]), salt])} ${bytes}`
      const known = rewritten.get(key)
      if (known !== undefined) return known
      const made = maskMysql(bytes, context, masks, salt)
      rewritten.set(key, made, baseWeight + key.length * 4)
      return made
    },
  }
}
