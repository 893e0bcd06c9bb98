// Understandings and rewritings of MySQL texts, remembered: by the text, and by the text without its values. Short texts are read at once; long ones
// by a thread, with a limit of time, since what a hostile text costs can grow with the square of its length.

import { Remembered } from '@sallyport/core'
import type { Mask, Settled } from '@sallyport/core'
import { MaskKeys } from '../masks.js'
import { Pool } from '../pool.js'
import type { NoAnswer } from '../pool.js'
import type { Rewriting } from '../understanding.js'
import type { MysqlCatalog, MysqlCatalogRows } from './catalog.js'
import { decode } from './lexer.js'
import { literalless } from './literalless.js'
import { maskMysql } from './masking.js'
import type { MysqlAnswer, MysqlQuestion, SentContext } from './questions.js'
import { holdsSecretWords, isUtf8Text, notUnderstood, understandMysql } from './understand.js'
import type { MysqlContext, MysqlUnderstanding } from './understand.js'

const understandings = { entries: 20_000, weight: 64 * 1024 * 1024 }
const rewritings = { entries: 10_000, weight: 32 * 1024 * 1024 }
/** An understanding is a few times its text, and at least this. */
const baseWeight = 1_000
/** A text of this size takes 1 ms, and 5 ms where it was made to take long (measured); a longer one costs a thread's round trip (0.1 ms) besides. */
const nearBytes = 2_048
/** To mask is to read twice, and longer: each table becomes a sub-select. */
const nearMaskBytes = 1_024
/** Longer texts are not remembered: to look them up would take longer than anybody else should wait. */
const rememberedBytes = 256 * 1024
const limits = { workers: 2, waiting: 1024, answerWithinMs: 2_000, startWithinMs: 10_000 }
/** Catalogues a thread holds: one a target, and the newest of each is what is asked about. */
const maxCatalogs = 64

export interface MysqlReader {
  /** `bytes`: the text as a byte string (latin1). The same object for the same text and context while it is remembered. Never rejects. */
  understand(bytes: string, context: MysqlContext): Settled<MysqlUnderstanding>
  /** The rewritten text is a byte string too. */
  mask(bytes: string, context: MysqlContext, masks: readonly Mask[], salt: string): Settled<Rewriting>
  stop(): Promise<void>
}

/** Contexts by content: sessions at the same target share what is known. */
class Contexts {
  readonly #keys = new WeakMap<MysqlContext, string>()
  readonly #ids = new WeakMap<MysqlCatalog, string>()
  #last = 0

  idOf(catalog: MysqlCatalog): string {
    const known = this.#ids.get(catalog) ?? String(++this.#last)
    this.#ids.set(catalog, known)
    return known
  }

  key(context: MysqlContext): string {
    const known = this.#keys.get(context)
    if (known !== undefined) return known
    const key = JSON.stringify(this.sent(context))
    this.#keys.set(context, key)
    return key
  }

  sent({ catalog, database, temporaries, trustedFunctions }: MysqlContext): SentContext {
    return { catalog: this.idOf(catalog), database, temporaries: [...temporaries], trustedFunctions }
  }
}

class Reader implements MysqlReader {
  readonly #pool: Pool<MysqlQuestion, MysqlAnswer, MysqlCatalogRows>
  readonly #contexts = new Contexts()
  readonly #registered = new Set<string>()
  readonly #maskKeys = new MaskKeys()
  readonly #understood = new Remembered<string, MysqlUnderstanding>(understandings)
  readonly #rewritten = new Remembered<string, Rewriting>(rewritings)

  constructor(onTrouble: (reason: string) => void) {
    this.#pool = new Pool('mysql/worker.js', limits, onTrouble)
  }

  understand(bytes: string, context: MysqlContext): Settled<MysqlUnderstanding> {
    if (bytes.length > rememberedBytes) return this.#understandFar(bytes, context, (made) => made)
    const place = this.#contexts.key(context)
    const key = `${place} t ${bytes}`
    const known = this.#understood.get(key)
    if (known !== undefined) return known
    const general = isUtf8Text(bytes) ? literalless(bytes) : undefined
    const shared = general === undefined || holdsSecretWords(bytes) ? undefined : `${place} g ${general}`
    const alike = shared === undefined ? undefined : this.#understood.get(shared)
    if (alike !== undefined) return general === bytes ? alike : { ...alike, text: decode(bytes) }
    const keep = (made: MysqlUnderstanding): MysqlUnderstanding => {
      const under = shared !== undefined && saysTheSameForAnyValue(made) ? shared : key
      this.#understood.set(under, made, baseWeight + under.length * 6)
      return made
    }
    if (bytes.length <= nearBytes) return keep(understandMysql(bytes, context))
    return this.#understandFar(bytes, context, keep)
  }

  #understandFar(
    bytes: string,
    context: MysqlContext,
    keep: (made: MysqlUnderstanding) => MysqlUnderstanding,
  ): Promise<MysqlUnderstanding> {
    return this.#ask({ kind: 'understand', text: bytes, context: this.#contexts.sent(context) }, context).then((answer) => {
      if (isUnasked(answer)) return notUnderstood(bytes)
      return keep(typeof answer === 'object' && answer.kind === 'understanding' ? answer.understanding : notUnderstood(bytes))
    })
  }

  mask(bytes: string, context: MysqlContext, masks: readonly Mask[], salt: string): Settled<Rewriting> {
    const key = `${this.#contexts.key(context)} ${this.#maskKeys.of(masks)} ${JSON.stringify(salt)} ${bytes}`
    const known = bytes.length > rememberedBytes ? undefined : this.#rewritten.get(key)
    if (known !== undefined) return known
    const keep = (made: Rewriting): Rewriting => {
      if (bytes.length <= rememberedBytes) this.#rewritten.set(key, made, baseWeight + key.length * 4)
      return made
    }
    if (bytes.length <= nearMaskBytes) return keep(maskMysql(bytes, context, masks, salt))
    const question = { kind: 'mask', text: bytes, context: this.#contexts.sent(context), masks, salt } as const
    return this.#ask(question, context).then((answer) => {
      const lost: Rewriting = { kind: 'untraceable', reason: 'the text could not be read' }
      if (isUnasked(answer)) return lost
      return keep(typeof answer === 'object' && answer.kind === 'rewriting' ? answer.rewriting : lost)
    })
  }

  stop(): Promise<void> {
    return this.#pool.stop()
  }

  #ask(question: MysqlQuestion, { catalog }: MysqlContext): Promise<MysqlAnswer | NoAnswer> {
    const id = question.context.catalog
    // What was asked about last is forgotten last; a target that was forgotten is registered again as soon as it is asked about.
    if (!this.#registered.delete(id)) this.#pool.registerCatalog(id, catalog.rows)
    this.#registered.add(id)
    for (const oldest of this.#registered) {
      if (this.#registered.size <= maxCatalogs) break
      this.#registered.delete(oldest)
      this.#pool.forgetCatalog(oldest)
    }
    return this.#pool.ask(question)
  }
}

/** Nothing that is true of the text: not to be remembered. */
function isUnasked(answer: MysqlAnswer | NoAnswer): boolean {
  return answer === 'refused' || (typeof answer === 'object' && answer.kind === 'no-catalog')
}

/** Its text is all that the values change in what is known of it. */
function saysTheSameForAnyValue({ understood, canonical, prepares, executes, kills }: MysqlUnderstanding): boolean {
  return understood && canonical === undefined && prepares.length === 0 && executes.length === 0 && kills === undefined
}

export function openMysqlReader(onTrouble: (reason: string) => void = () => undefined): MysqlReader {
  return new Reader(onTrouble)
}
