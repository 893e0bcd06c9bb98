// Collects what a text does, and, in frames, which columns a part of it touches.

import type { Access, Effect } from '@sallyport/core'

interface Draft {
  readonly access: Access
  readonly verb: string
  readonly object: string
  columns: Set<string> | undefined
  bounded: boolean | undefined
}

export class Effects {
  readonly #drafts = new Map<string, Draft>()
  #frame = new Set<string>()

  add(
    access: Access,
    verb: string,
    object: string,
    more?: { readonly columns?: readonly string[]; readonly bounded?: boolean },
  ): void {
    const key = `${access} ${verb} ${object}`
    let draft = this.#drafts.get(key)
    if (draft === undefined) {
      draft = { access, verb, object, columns: undefined, bounded: undefined }
      this.#drafts.set(key, draft)
    }
    if (more?.columns !== undefined) {
      draft.columns ??= new Set()
      for (const column of more.columns) draft.columns.add(column)
    }
    if (more?.bounded !== undefined) draft.bounded = (draft.bounded ?? true) && more.bounded
  }

  unknown(verb: string, object = ''): void {
    this.add('unknown', verb, object)
  }

  /** These columns (`schema.table.column`) are touched here. */
  touch(columns: Iterable<string>): void {
    for (const column of columns) this.#frame.add(column)
  }

  /** Runs `part` and answers what it touched; the frame around it is told nothing. */
  touchedBy(part: () => void): Set<string> {
    const around = this.#frame
    const mine = new Set<string>()
    this.#frame = mine
    try {
      part()
    } finally {
      this.#frame = around
    }
    return mine
  }

  has(access: Access, verb: string): boolean {
    return [...this.#drafts.values()].some((draft) => draft.access === access && draft.verb === verb)
  }

  addAll(effects: readonly Effect[]): void {
    for (const { access, verb, object, ...more } of effects) this.add(access, verb, object, more)
  }

  list(): readonly Effect[] {
    return [...this.#drafts.values()].map(({ access, verb, object, columns, bounded }) => ({
      access,
      verb,
      object,
      ...(columns === undefined ? {} : { columns: [...columns] }),
      ...(bounded === undefined ? {} : { bounded }),
    }))
  }
}
