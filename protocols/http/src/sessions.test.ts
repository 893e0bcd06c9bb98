import { Denied } from '@sallyport/core'
import type { ClientFacts, Gate, Session } from '@sallyport/core'
import { expect, it } from 'vitest'
import type { Shown } from './routing.js'
import { Sessions } from './sessions.js'

const client: ClientFacts = { address: '127.0.0.1:5000', loopback: true, tls: false }
const shown = { user: 'mia', token: 'sp_x' } as unknown as Shown

function session(id: string, signal: AbortSignal): Session {
  return { id, signal, target: { address: 'http://shop.test' }, close: async () => {} } as unknown as Session
}

/** A gate that admits these sessions in order; `within`: what comes inside a forward of somebody else. */
function gates(...admitted: readonly Session[]): { readonly outside: Gate; readonly within: Gate; readonly rejoined: string[] } {
  const rejoined: string[] = []
  const left = [...admitted]
  const outside = {
    admit: async () => left.shift(),
    rejoin: ({ id }: Session) => void rejoined.push(id),
    log: () => {},
  } as unknown as Gate
  const rejoin = (): never => {
    throw new Denied('not-granted', 'of another identity')
  }
  return { outside, within: { ...outside, rejoin }, rejoined }
}

it('a proof joins its session, and whoever joins is checked', async () => {
  const { outside, within, rejoined } = gates(session('s1', new AbortController().signal))
  const sessions = new Sessions()
  const place = await sessions.enter(shown, 'shop', client, outside)
  expect(await sessions.enter(shown, 'shop', client, outside)).toBe(place)
  expect(rejoined).toEqual(['s1'])
  await expect(sessions.enter(shown, 'shop', client, within)).rejects.toThrow('of another identity')
})

it('so is who waited for a session that was over at once, and finds the next', async () => {
  const { outside, within, rejoined } = gates(session('s1', AbortSignal.abort()), session('s2', new AbortController().signal))
  const sessions = new Sessions()
  const first = sessions.enter(shown, 'shop', client, outside)
  const second = sessions.enter(shown, 'shop', client, outside)
  const third = sessions.enter(shown, 'shop', client, outside)
  const inside = sessions.enter(shown, 'shop', client, within)
  inside.catch(() => {})
  expect((await first).over).toBe(true)
  expect((await second).session.id).toBe('s2')
  expect(await third).toBe(await second)
  expect(rejoined).toEqual(['s2'])
  await expect(inside).rejects.toThrow('of another identity')
})
