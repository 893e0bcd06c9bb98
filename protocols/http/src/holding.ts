// Requests that wait for people. A caller's patience is short and people are slow: past it the request is refused with the review's
// address, and once it is approved the same request goes through, one time.

import type { Denial, Ruling } from '@sallyport/core'
import { approvalMs, maxHeld } from './limits.js'

export interface Held {
  readonly statement: number
  /** Of all that a reviewer agrees to. */
  readonly binding: string
  readonly settled: Promise<Ruling>
  ruling: Ruling | undefined
  address: string
  review: string
  /** A caller waits for it right now. */
  taken: boolean
}

export type Patience = { readonly kind: 'ruled'; readonly ruling: Ruling } | { readonly kind: 'late' }

export class Holding {
  readonly #held = new Map<number, Held>()
  readonly #timers = new Set<NodeJS.Timeout>()

  get waiting(): boolean {
    return this.#held.size > 0
  }

  get full(): boolean {
    return this.#held.size >= maxHeld
  }

  /** The same request, refused for want of patience before: it takes up where that one stopped. */
  claim(binding: string): Held | undefined {
    for (const held of this.#held.values()) {
      if (held.taken || held.binding !== binding) continue
      held.taken = true
      return held
    }
    return undefined
  }

  add(statement: number, binding: string, settled: Promise<Ruling>): Held {
    const held: Held = { statement, binding, settled, ruling: undefined, address: '', review: '', taken: true }
    this.#held.set(statement, held)
    settled.then(
      (ruling) => {
        held.ruling = ruling
        const unclaimed = setTimeout(() => {
          this.#timers.delete(unclaimed)
          if (!held.taken) this.drop(held)
        }, approvalMs)
        this.#timers.add(unclaimed.unref())
      },
      () => this.drop(held),
    )
    return held
  }

  /** Waits so long as the caller's patience lasts; what was ruled by then is taken out and cannot be claimed again. */
  async wait(held: Held, patienceMs: number, gone: AbortSignal): Promise<Patience> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), patienceMs)
      gone.addEventListener('abort', () => resolve('late'), { once: true })
      if (gone.aborted) resolve('late')
    })
    const first = await Promise.race([held.settled, late])
    clearTimeout(timer)
    if (first === 'late' || gone.aborted) {
      held.taken = false
      return { kind: 'late' }
    }
    this.drop(held)
    return { kind: 'ruled', ruling: first }
  }

  drop(held: Held): void {
    this.#held.delete(held.statement)
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#held.clear()
  }
}

export function waitingDenial(held: Held): Denial {
  return {
    kind: 'deny',
    cause: 'review-expired',
    rule: null,
    reason: 'this waits for a person to agree to it, and nobody has yet',
    hint: `Review ${held.review}: ${held.address}. Send the same request again; once it is approved it goes through, one time.`,
  }
}
