// Sleeping until something happens or time is up. What happens between two sleeps is not lost.

export class Wake {
  #happened = false
  #wakeUp: (() => void) | undefined

  /** Something happened: ends the sleep, or the next one before it begins. */
  up(): void {
    this.#happened = true
    this.#wakeUp?.()
  }

  async sleep(atMostMs: number): Promise<void> {
    if (!this.#happened) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, atMostMs)
        this.#wakeUp = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#wakeUp = undefined
    this.#happened = false
  }
}
