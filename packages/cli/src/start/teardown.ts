// What must be undone, in the opposite order; one thing that fails to stop does not keep the others from stopping.

import type { Log } from './logging.js'

export class Teardown {
  readonly #log: Log
  readonly #steps: { readonly name: string; readonly undo: () => void | Promise<void> }[] = []
  #running: Promise<void> | undefined

  constructor(log: Log) {
    this.#log = log
  }

  add(name: string, undo: () => void | Promise<void>): void {
    this.#steps.push({ name, undo })
  }

  /** Safe to call twice. */
  run(): Promise<void> {
    this.#running ??= this.#undoAll()
    return this.#running
  }

  async #undoAll(): Promise<void> {
    for (;;) {
      const step = this.#steps.pop()
      if (step === undefined) return
      try {
        await step.undo()
      } catch (error) {
        this.#log('error', `stopping: ${step.name} did not stop as it should`, { error })
      }
    }
  }
}
