// Which page an address names, and the address of a page. A filter is part of the address, so that a link shows what was seen.

export interface Filter {
  readonly identity: string
  readonly target: string
  readonly since: string
  readonly live: boolean
  /** Reads on after this session (and statement, in a search). */
  readonly before: string
  readonly beforeStatement: string
}

export type Place =
  | { readonly kind: 'reviews' }
  | { readonly kind: 'review'; readonly id: string }
  | { readonly kind: 'sessions'; readonly filter: Filter }
  | { readonly kind: 'session'; readonly id: string; readonly statement: number | undefined }
  | { readonly kind: 'search'; readonly text: string; readonly filter: Filter }
  | { readonly kind: 'targets' }
  | { readonly kind: 'rules' }
  | { readonly kind: 'nowhere' }

export const noFilter: Filter = { identity: '', target: '', since: '', live: false, before: '', beforeStatement: '' }

export function placeOf(path: string, query: string): Place {
  const parts = path.split('/').slice(1).map(decoded)
  const [page = '', id = ''] = parts
  const asked = new URLSearchParams(query)
  if (parts.length > 2 || parts.includes(undefined)) return { kind: 'nowhere' }
  if (id !== '') {
    if (page === 'reviews') return { kind: 'review', id }
    if (page === 'sessions') return { kind: 'session', id, statement: wholeNumber(asked.get('statement')) }
    return { kind: 'nowhere' }
  }
  switch (page) {
    case '':
    case 'sign-in':
    case 'reviews':
      return { kind: 'reviews' }
    case 'sessions':
      return { kind: 'sessions', filter: filterOf(asked) }
    case 'search':
      return { kind: 'search', text: asked.get('text') ?? '', filter: filterOf(asked) }
    case 'targets':
    case 'rules':
      return { kind: page }
    default:
      return { kind: 'nowhere' }
  }
}

export function addressOf(place: Place): string {
  switch (place.kind) {
    case 'review':
      return `/reviews/${encodeURIComponent(place.id)}`
    case 'session':
      return `/sessions/${encodeURIComponent(place.id)}${place.statement === undefined ? '' : `?statement=${place.statement}`}`
    case 'sessions':
      return `/sessions${written({}, place.filter)}`
    case 'search':
      return `/search${written(place.text === '' ? {} : { text: place.text }, place.filter)}`
    case 'nowhere':
      return '/'
    case 'reviews':
    case 'targets':
    case 'rules':
      return `/${place.kind}`
  }
}

/** What the API is asked, for the same filter. */
export function queryOf(filter: Filter, more: Readonly<Record<string, string>>): string {
  const { since, ...rest } = filter
  const at = since === '' ? Number.NaN : new Date(since).getTime()
  return written({ ...more, ...(Number.isNaN(at) ? {} : { since: new Date(at).toISOString() }) }, { ...rest, since: '' })
}

function filterOf(asked: URLSearchParams): Filter {
  const of = (key: keyof Filter): string => asked.get(key) ?? ''
  return {
    identity: of('identity'),
    target: of('target'),
    since: of('since'),
    live: of('live') === 'true',
    before: of('before'),
    beforeStatement: of('beforeStatement'),
  }
}

function written(first: Readonly<Record<string, string>>, { live, ...rest }: Filter): string {
  const query = new URLSearchParams(first)
  for (const [key, value] of Object.entries(rest)) if (value !== '') query.set(key, value)
  if (live) query.set('live', 'true')
  return query.size === 0 ? '' : `?${query.toString()}`
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
