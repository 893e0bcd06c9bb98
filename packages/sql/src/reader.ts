// The reader: understandings and rewritings remembered by text and context, asked of a parser thread where they are not.

import { Remembered } from '@sallyport/core'
import type { Mask, Settled } from '@sallyport/core'
import { MaskKeys } from './masks.js'
import { Pool } from './pool.js'
import type { NoAnswer } from './pool.js'
import type { PostgresCatalog } from './postgres/catalog.js'
import { notUnderstood } from './postgres/not-understood.js'
import { numberless } from './postgres/numberless.js'
import type { Answer, Question } from './questions.js'
import type { Rewriting, SqlContext, Understanding } from './understanding.js'

export interface SqlReader {
  registerCatalog(id: string, catalog: PostgresCatalog): void
  forgetCatalog(id: string): void
  /** At once where remembered. Never rejects. The same object for the same text and context while it is remembered. */
  understand(text: string, context: SqlContext): Settled<Understanding>
  mask(text: string, context: SqlContext, masks: readonly Mask[], salt: string): Settled<Rewriting>
  /** Starts a parser thread ahead of the first question. */
  warm(): void
  stop(): Promise<void>
}

export interface SqlReaderOptions {
  readonly workers?: number
  /** Told when a parser thread was lost, and why. Never holds a statement's text. */
  readonly onTrouble?: (reason: string) => void
}

/** Longer texts are not parsed: 32 MiB took 0.46 s, and the design caps at 1 to 4 MB (sql-on-the-wire, section 3.4). */
const maxTextBytes = 1024 * 1024
/** As many sessions as one node holds may each wait for one text. */
const maxWaiting = 1024
/** 1 MiB of the worst text that parses takes under 1 s here; what takes twice that is an attack. */
const answerWithinMs = 2000
/** A thread starts in 60 ms (libraries page, section 2); a machine that is busy may take a hundred times that. */
const startWithinMs = 10_000
const understandings = { entries: 20_000, weight: 64 * 1024 * 1024 }
const rewritings = { entries: 10_000, weight: 32 * 1024 * 1024 }

/** What a context is remembered by: a short name for its content and for the catalogue as it was registered. */
class Contexts {
  readonly #byIdentity = new WeakMap<SqlContext, { readonly generation: number; readonly key: string }>()
  readonly #generations = new Map<string, number>()
  #last = 0

  changed(catalog: string): void {
    this.#generations.set(catalog, ++this.#last)
  }

  forget(catalog: string): void {
    this.#generations.delete(catalog)
  }

  key(context: SqlContext): string {
    const generation = this.#generations.get(context.catalog) ?? 0
    const known = this.#byIdentity.get(context)
    if (known?.generation === generation) return known.key
    const key = `${generation} ${JSON.stringify([context.catalog, context.schemas, context.trustedFunctions])}`
    this.#byIdentity.set(context, { generation, key })
    return key
  }
}

function weightOf(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length * 2
  if (typeof value !== 'object' || value === null) return 8
  return Object.values(value).reduce<number>((sum, item) => sum + weightOf(item), 32)
}

/** A text no parser is asked about. Unpaired surrogates cannot have come from UTF-8. */
function isUnreadable(text: string): boolean {
  return text.length > maxTextBytes || Buffer.byteLength(text) > maxTextBytes || text.includes('\0') || /\p{Surrogate}/u.test(text)
}

/** Its text is all that the numbers change in what is known of it. */
function saysTheSameForAnyNumber(understanding: Understanding, text: string): boolean {
  const { prepares, declares, executes, fetches } = understanding
  return (
    understanding.understood &&
    understanding.text === text &&
    [prepares, declares, executes, fetches].every((names) => names.length === 0)
  )
}

function isAnswer(answer: Answer | NoAnswer): answer is Answer {
  return typeof answer === 'object'
}

/** Nothing that is true of the text: not to be remembered. */
function isUnasked(answer: Answer | NoAnswer): boolean {
  return answer === 'refused' || (isAnswer(answer) && answer.kind === 'no-catalog')
}

class Reader implements SqlReader {
  readonly #pool: Pool<Question, Answer, PostgresCatalog>
  readonly #contexts = new Contexts()
  readonly #maskKeys = new MaskKeys()
  readonly #understood = new Remembered<string, Understanding>(understandings)
  readonly #rewritten = new Remembered<string, Rewriting>(rewritings)
  readonly #asked = new Map<string, Promise<unknown>>()

  constructor(options: SqlReaderOptions) {
    const limits = { workers: options.workers ?? 2, waiting: maxWaiting, answerWithinMs, startWithinMs }
    this.#pool = new Pool('worker.js', limits, options.onTrouble ?? (() => undefined))
  }

  registerCatalog(id: string, catalog: PostgresCatalog): void {
    this.#contexts.changed(id)
    this.#pool.registerCatalog(id, catalog)
  }

  forgetCatalog(id: string): void {
    this.#contexts.forget(id)
    this.#pool.forgetCatalog(id)
  }

  understand(text: string, context: SqlContext): Settled<Understanding> {
    const key = `${this.#contexts.key(context)} t ${text}`
    const remembered = this.#understood.get(key)
    if (remembered !== undefined) return remembered
    if (isUnreadable(text)) return notUnderstood(text)
    const general = numberless(text)
    const generalKey = general === undefined || general === text ? undefined : `${this.#contexts.key(context)} g ${general}`
    const alike = generalKey === undefined ? undefined : this.#understood.get(generalKey)
    if (alike !== undefined) return alike.text === text ? alike : { ...alike, text }
    return this.#once(`u ${key}`, { kind: 'understand', text, context }, (answer) => {
      const understanding = isAnswer(answer) && answer.kind === 'understanding' ? answer.understanding : notUnderstood(text)
      if (isUnasked(answer)) return understanding
      const shared = generalKey !== undefined && saysTheSameForAnyNumber(understanding, text) ? generalKey : key
      this.#understood.set(shared, understanding, shared.length * 2 + weightOf(understanding))
      return understanding
    })
  }

  mask(text: string, context: SqlContext, masks: readonly Mask[], salt: string): Settled<Rewriting> {
    const key = `${this.#contexts.key(context)} ${this.#maskKeys.of(masks)} ${JSON.stringify(salt)} ${text}`
    const remembered = this.#rewritten.get(key)
    if (remembered !== undefined) return remembered
    if (isUnreadable(text)) return { kind: 'untraceable', reason: 'the text is too long or not valid UTF-8' }
    return this.#once(`m ${key}`, { kind: 'mask', text, context, masks, salt }, (answer) => {
      const lost: Rewriting = { kind: 'untraceable', reason: 'the text could not be read' }
      const rewriting = isAnswer(answer) && answer.kind === 'rewriting' ? answer.rewriting : lost
      if (!isUnasked(answer)) this.#rewritten.set(key, rewriting, key.length * 2 + weightOf(rewriting))
      return rewriting
    })
  }

  warm(): void {
    this.#pool.warm()
  }

  stop(): Promise<void> {
    return this.#pool.stop()
  }

  /** Asks once for all who ask the same while the answer is not there. */
  #once<T>(key: string, question: Question, take: (answer: Answer | NoAnswer) => T): Promise<T> {
    const before = this.#asked.get(key)
    if (before !== undefined) return before as Promise<T>
    const asked = this.#pool.ask(question).then((answer) => {
      this.#asked.delete(key)
      return take(answer)
    })
    this.#asked.set(key, asked)
    return asked
  }
}

export function openSqlReader(options: SqlReaderOptions = {}): SqlReader {
  return new Reader(options)
}
