// Prepared statements and portals by name, exactly as the server sees them. A change counts only when the server has confirmed it; until
// then it is known to the messages of its own segment (up to the Sync), because if it fails those are skipped with it.

export interface Change<T> {
  readonly name: string
  /** undefined: the name is gone. */
  readonly value: T | undefined
  readonly segment: number
}

export type Found<T> = { readonly kind: 'known'; readonly value: T } | { readonly kind: 'unknown' } | { readonly kind: 'unsettled' }

const unknown = { kind: 'unknown' } as const
const unsettled = { kind: 'unsettled' } as const

export class Names<T> {
  readonly #confirmed = new Map<string, T>()
  readonly #pending: Change<T>[] = []

  get size(): number {
    return this.#confirmed.size + this.#pending.length
  }

  /** `unsettled`: an earlier segment's change is still on its way; wait for its reply. */
  find(name: string, segment: number): Found<T> {
    for (let at = this.#pending.length - 1; at >= 0; at -= 1) {
      const change = this.#pending[at] as Change<T>
      if (change.name !== name) continue
      if (change.segment !== segment) return unsettled
      return change.value === undefined ? unknown : { kind: 'known', value: change.value }
    }
    const value = this.#confirmed.get(name)
    return value === undefined ? unknown : { kind: 'known', value }
  }

  /** Whether a change proposed before this segment still waits for its reply. */
  changingSince(segment: number): boolean {
    const first = this.#pending[0]
    return first !== undefined && first.segment < segment
  }

  /** Everything this name might mean at this moment. */
  candidates(name: string): T[] {
    const pending = this.#pending
      .filter((change) => change.name === name && change.value !== undefined)
      .map((change) => change.value as T)
    const confirmed = this.#confirmed.get(name)
    return confirmed === undefined ? pending : [confirmed, ...pending]
  }

  propose(name: string, value: T | undefined, segment: number): Change<T> {
    const change = { name, value, segment }
    this.#pending.push(change)
    return change
  }

  confirm(change: Change<T>): void {
    this.revert(change)
    if (change.value === undefined) this.#confirmed.delete(change.name)
    else this.#confirmed.set(change.name, change.value)
  }

  revert(change: Change<T>): void {
    const at = this.#pending.indexOf(change)
    if (at >= 0) this.#pending.splice(at, 1)
  }

  /** The server forgot this name, or all of them. */
  forget(name?: string): void {
    if (name === undefined) this.#confirmed.clear()
    else this.#confirmed.delete(name)
  }
}
