import { emptyCatalog } from '@sallyport/sql'
import { describe, expect, it } from 'vitest'
import { SearchPath } from './search-path.js'

const catalogue = { id: 'c', digest: '', content: { ...emptyCatalog, user: 'robot', schemas: ['pg_catalog', 'public'] } }

describe('the schemas a bare name may stand in', () => {
  it('are those of the catalogue, those that were added and those that the server reports', () => {
    const path = new SearchPath([])
    path.add(['priv'])
    path.add(['priv', 'old'])
    const all = ['pg_catalog', 'public', 'priv', 'old', 'robot', 'a "b"', 'sales']
    expect(path.contextOf(catalogue, `"$user", "a ""b""", sales`).schemas).toEqual(all)
  })

  it('follow the report even where as many schemas come as go', () => {
    const path = new SearchPath([])
    expect(path.contextOf(catalogue, 'sales').schemas).toContain('sales')
    const then = path.contextOf(catalogue, 'priv')
    expect(then.schemas).toEqual(['pg_catalog', 'public', 'priv'])
    expect(path.context).toBe(then)
  })

  it('are told as the same object until something changes', () => {
    const path = new SearchPath(['f'])
    const first = path.contextOf(catalogue, 'sales')
    path.add([])
    expect(path.contextOf(catalogue, 'sales')).toBe(first)
    path.add(['priv'])
    expect(path.contextOf(catalogue, 'sales')).not.toBe(first)
    expect(path.contextOf({ ...catalogue, id: 'd' }, 'sales')).toMatchObject({ catalog: 'd', trustedFunctions: ['f'] })
  })
})
