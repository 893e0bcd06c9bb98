// The parser threads: started when first needed, asked one question at a time, thrown away when a question takes too long or hurts them.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { FromWorker, ToWorker } from './questions.js'

export interface PoolLimits {
  readonly workers: number
  /** Questions waiting for a thread. */
  readonly waiting: number
  readonly answerWithinMs: number
  readonly startWithinMs: number
}

/** Heap of one thread. A 1 MiB text parses to about 100 MB of tree (measured: 1 MiB of `(1),`); catalogues come on top. */
const heapMb = 768
const youngMb = 16
/** libpg-query recurses in WebAssembly and this package over the tree; with 64 MiB chains of 20,000 terms pass (libraries page, section 2). */
const stackMb = 64

/** `lost`: the question cost its thread, and would again. `refused`: it was not asked. */
export type NoAnswer = 'lost' | 'refused'

interface Waiting<Question, Answer, Catalog> {
  readonly question: Question
  /** As it was registered when the question was asked: whoever forgets it later does not take it from this question. */
  readonly catalog: Catalog | undefined
  readonly settle: (answer: Answer | NoAnswer) => void
}

interface Thread<Question, Answer, Catalog> {
  readonly worker: Worker
  readonly known: Map<string, Catalog>
  isReady: boolean
  asked: Waiting<Question, Answer, Catalog> | undefined
  timer: NodeJS.Timeout | undefined
}

/** Beside this file in dist; under vitest this file is in src and the thread runs from dist all the same. */
function fileOf(worker: string): string {
  const beside = fileURLToPath(new URL(`./${worker}`, import.meta.url))
  return existsSync(beside) ? beside : fileURLToPath(new URL(`../dist/${worker}`, import.meta.url))
}

/** A question names the catalogue that it is about. */
export class Pool<Question extends { readonly context: { readonly catalog: string } }, Answer, Catalog> {
  readonly #file: string
  readonly #limits: PoolLimits
  readonly #catalogs = new Map<string, Catalog>()
  readonly #threads = new Set<Thread<Question, Answer, Catalog>>()
  readonly #waiting: Waiting<Question, Answer, Catalog>[] = []
  readonly #onTrouble: (reason: string) => void
  #isStopped = false

  /** `worker`: the file of the thread, in the compiled package. */
  constructor(worker: string, limits: PoolLimits, onTrouble: (reason: string) => void) {
    this.#file = fileOf(worker)
    this.#limits = limits
    this.#onTrouble = onTrouble
  }

  registerCatalog(id: string, catalog: Catalog): void {
    this.#catalogs.set(id, catalog)
  }

  forgetCatalog(id: string): void {
    this.#catalogs.delete(id)
    for (const thread of this.#threads) this.#unteach(thread, id)
  }

  /** Never rejects. */
  ask(question: Question): Promise<Answer | NoAnswer> {
    if (this.#isStopped || this.#waiting.length >= this.#limits.waiting) return Promise.resolve('refused')
    return new Promise((settle) => {
      this.#waiting.push({ question, catalog: this.#catalogs.get(question.context.catalog), settle })
      this.#dispatch()
    })
  }

  warm(): void {
    if (!this.#isStopped && this.#threads.size === 0) this.#start()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const one of this.#waiting.splice(0)) one.settle('refused')
    await Promise.all([...this.#threads].map((thread) => this.#discard(thread)))
  }

  #dispatch(): void {
    for (const thread of this.#threads) {
      if (!thread.isReady || thread.asked !== undefined) continue
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#put(thread, next)
    }
    const starting = [...this.#threads].filter((thread) => !thread.isReady).length
    if (this.#waiting.length > starting && this.#threads.size < this.#limits.workers) this.#start()
  }

  #put(thread: Thread<Question, Answer, Catalog>, waiting: Waiting<Question, Answer, Catalog>): void {
    const { catalog } = waiting
    const { catalog: id } = waiting.question.context
    if (catalog !== undefined && thread.known.get(id) !== catalog) {
      thread.known.set(id, catalog)
      this.#tell(thread, { kind: 'catalog', id, catalog })
    }
    thread.asked = waiting
    thread.worker.ref()
    thread.timer = setTimeout(() => this.#lose(thread, 'a text took too long to parse'), this.#limits.answerWithinMs)
    this.#tell(thread, { kind: 'question', question: waiting.question })
  }

  #unteach(thread: Thread<Question, Answer, Catalog>, id: string): void {
    if (thread.known.delete(id)) this.#tell(thread, { kind: 'forget', id })
  }

  #start(): void {
    const worker = new Worker(this.#file, {
      resourceLimits: { stackSizeMb: stackMb, maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: youngMb },
    })
    const thread: Thread<Question, Answer, Catalog> = {
      worker,
      known: new Map(),
      isReady: false,
      asked: undefined,
      timer: undefined,
    }
    this.#threads.add(thread)
    thread.timer = setTimeout(() => this.#lose(thread, 'a parser thread did not start'), this.#limits.startWithinMs)
    worker.on('message', (message: FromWorker<Answer>) => this.#hear(thread, message))
    worker.on('error', (error: Error) => this.#lose(thread, error.message))
    worker.on('exit', () => this.#lose(thread, 'a parser thread ended'))
  }

  #hear(thread: Thread<Question, Answer, Catalog>, message: FromWorker<Answer>): void {
    if (!this.#threads.has(thread)) return
    if (message.kind === 'hurt') return this.#lose(thread, message.reason)
    clearTimeout(thread.timer)
    if (message.kind === 'ready') thread.isReady = true
    const { asked } = thread
    thread.asked = undefined
    thread.worker.unref()
    const id = asked?.question.context.catalog
    if (id !== undefined && this.#catalogs.get(id) !== asked?.catalog) this.#unteach(thread, id)
    if (message.kind === 'answer') asked?.settle(message.answer)
    this.#dispatch()
  }

  /** The question it was asked has no answer; those that wait go to another thread. One that cannot even start answers nothing at all. */
  #lose(thread: Thread<Question, Answer, Catalog>, reason: string): void {
    if (!this.#threads.has(thread)) return
    this.#onTrouble(reason)
    const couldStart = thread.isReady
    void this.#discard(thread)
    if (!couldStart) for (const one of this.#waiting.splice(0)) one.settle('refused')
    if (!this.#isStopped) this.#dispatch()
  }

  async #discard(thread: Thread<Question, Answer, Catalog>): Promise<void> {
    this.#threads.delete(thread)
    clearTimeout(thread.timer)
    thread.asked?.settle(this.#isStopped ? 'refused' : 'lost')
    thread.asked = undefined
    await thread.worker.terminate()
  }

  #tell(thread: Thread<Question, Answer, Catalog>, message: ToWorker<Question, Catalog>): void {
    // A thread's port has no origin; the rule is about windows.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    thread.worker.postMessage(message)
  }
}
