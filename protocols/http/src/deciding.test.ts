import { describe, expect, it } from 'vitest'
import type { Asking, Ruling, Session, Settled, Statement, Target } from '@sallyport/core'
import { decide } from './deciding.js'
import type { Decided } from './deciding.js'
import { Holding } from './holding.js'
import type { Fields } from './message.js'
import type { Place } from './sessions.js'
import { understand, understandTunnel } from './understand.js'
import type { Understood } from './understand.js'

const parameter = { in: 'header', name: 'x-limit', required: false, form: 'one', schema: { type: 'integer' } } as const
const target = {
  name: 'pay',
  address: 'https://pay.test',
  protocol: 'http',
  http: {
    patienceMs: 20,
    secretNames: [],
    schemas: {},
    operations: [{ id: 'pay', method: 'POST', path: '/pay', shape: { parameters: [parameter] } }],
  },
} as unknown as Target
const allowed: Ruling = { kind: 'allow', rule: 'people' }
const masked = (column: string): Ruling => ({ kind: 'mask', rule: 'people', masks: [{ column, with: 'redact', rule: 'r' }] })

/** A session whose rules ask people, who answer `approved`; asked again it answers `now`. */
function reviewed(approved: Ruling, now: (asking: Asking) => Ruling) {
  const asked: Asking[] = []
  let approve = (): void => {}
  const people = new Promise<Ruling>((resolve) => (approve = () => resolve(approved)))
  const judge = (_statement: Statement, asking: Asking = {}): Settled<Ruling> => {
    asked.push(asking)
    if (asking.refusal !== undefined) return { kind: 'deny', cause: 'not-understood', rule: null, reason: asking.refusal }
    if (asking.phase === 'prepare') return now(asking)
    asking.onWait?.({ review: 'r1', address: 'https://console.test/r1', text: '' })
    return people
  }
  const session = { id: 's', target, judge } as unknown as Session
  let next = 0
  const place = { session, held: new Holding(), nextStatement: () => ++next } as unknown as Place
  const ask = async (understood: Understood, fields: Fields = []): Promise<Decided> =>
    await decide(
      {
        place,
        method: 'POST',
        route: { target: 'pay', path: '/pay', prefix: '/pay', origin: 'https://gateway.test', by: 'path' },
        fields,
        gone: new AbortController().signal,
      },
      understood,
      { seen: 'absent', early: [] },
    )
  return { ask, asked, approve: () => approve() }
}

const paying = (fields: Fields = []): Understood => understand(target, 'POST', '/pay', fields, 'absent')

describe('an approved request that comes again', () => {
  it('goes through one time', async () => {
    const { ask, approve } = reviewed(allowed, () => allowed)
    expect((await ask(paying())).ruling).toMatchObject({ kind: 'deny', cause: 'review-expired' })
    approve()
    expect((await ask(paying())).ruling).toEqual(allowed)
  })

  it("does not where it breaks the target's description by now", async () => {
    const { ask, approve } = reviewed(allowed, () => allowed)
    await ask(paying())
    approve()
    const { ruling } = await ask({ ...paying(), breaks: 'it breaks the description' })
    expect(ruling).toMatchObject({ kind: 'deny', reason: 'it breaks the description', hint: expect.stringContaining('OpenAPI') })
  })

  it('does not where it is a tunnel that no rule allows any more', async () => {
    const { ask, approve } = reviewed(allowed, ({ needsRule }) =>
      needsRule === undefined ? allowed : { kind: 'deny', cause: 'default', rule: null, reason: needsRule },
    )
    const tunnel = understandTunnel('example.test', 443)
    await ask(tunnel)
    approve()
    expect((await ask(tunnel)).ruling).toMatchObject({ kind: 'deny', cause: 'default' })
  })

  it.each([
    ['one more', allowed, masked('@card')],
    ['one less', masked('@card'), allowed],
    ['another', masked('@card'), masked('*.email')],
  ])('does not where the masks are %s', async (_what, approved, now) => {
    const { ask, asked, approve } = reviewed(approved, () => now)
    await ask(paying())
    approve()
    expect((await ask(paying())).ruling).toMatchObject({ kind: 'deny', reason: expect.stringContaining('other masks') })
    expect(asked.at(-1)).toMatchObject({ phase: 'prepare', refusal: expect.stringContaining('other masks') })
  })

  it('is not another one with the same body: headers that the description knows are part of it', async () => {
    const { ask, asked, approve } = reviewed(allowed, () => allowed)
    const low: Fields = [['x-limit', '50']]
    const high: Fields = [['x-limit', '1000000']]
    await ask(paying(low), low)
    approve()
    await ask(paying(high), high)
    expect(asked.map(({ phase }) => phase)).toEqual([undefined, undefined])
    expect((await ask(paying(low), [...low, ['x-other', '1']])).ruling).toEqual(allowed)
  })
})
