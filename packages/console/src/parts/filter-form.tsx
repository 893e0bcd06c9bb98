// Which sessions: the fields that lists and search share. Changing a field asks nothing until it is sent.
// Another address is another form (its key): what was typed and not sent is gone.

import type { ComponentChildren } from 'preact'
import { noFilter } from '../place.js'
import type { Filter } from '../place.js'

interface FilterParts {
  readonly filter: Filter
  readonly live: boolean
  readonly children?: ComponentChildren
  readonly onAsk: (filter: Filter, text: string) => void
}

export function FilterForm({ filter, live, children, onAsk }: FilterParts) {
  const ask = (form: HTMLFormElement): void => {
    const fields = new FormData(form)
    const of = (name: string): string => {
      const value = fields.get(name)
      return typeof value === 'string' ? value.trim() : ''
    }
    const asked = { identity: of('identity'), target: of('target'), since: of('since'), live: of('live') === 'true' }
    onAsk({ ...noFilter, ...asked }, of('text'))
  }
  return (
    <form
      class="filter"
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        ask(event.currentTarget)
      }}
    >
      {children}
      <label>
        Identity
        <input name="identity" defaultValue={filter.identity} autocomplete="off" spellcheck={false} maxLength={128} />
      </label>
      <label>
        Target
        <input name="target" defaultValue={filter.target} autocomplete="off" spellcheck={false} maxLength={63} />
      </label>
      <label>
        Since
        <input name="since" type="datetime-local" defaultValue={filter.since} />
      </label>
      {live && (
        <label class="check">
          <input name="live" type="checkbox" value="true" defaultChecked={filter.live} />
          Live only
        </label>
      )}
      <button type="submit" class="primary">
        {children === undefined ? 'Show' : 'Search'}
      </button>
    </form>
  )
}
