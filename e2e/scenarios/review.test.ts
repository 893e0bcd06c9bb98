// A statement that people must agree to: it waits, they are asked, and nothing of it runs before.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { onServer } from '../backends/postgres.js'
import { lacks } from '../backends/programs.js'
import { openPsql, psql } from '../backends/psql.js'
import { decide, openReview, reviews, settled } from '../backends/reviews.js'
import { openStage, type Stage } from '../backends/shop.js'
import { settledStatements } from '../backends/statement-log.js'
import { bind, execute, fields, parse, query, sync } from '../backends/wire-client.js'

let stage: Stage

beforeAll(async () => {
  stage = await openStage()
})

afterAll(() => stage.close())

const ran = async (marker: string): Promise<number> =>
  (await settledStatements(stage.facts, stage.database)).filter(({ text }) => text.includes(marker)).length

describe.skipIf(lacks('psql'))('at the prompt', () => {
  it('a NOTICE comes at once with the address; after approval by the CLI it runs', async () => {
    const prompt = openPsql(await stage.gateway.url('robot', 'shop'))
    prompt.say('update orders set total = 0 /* approved one */;')
    const printed = await prompt.until(/NOTICE.*reviews approve/s)
    const review = await openReview(stage.gateway, 'approved one')
    expect(printed).toContain(review.id)
    expect(printed).toContain(stage.gateway.consoleAddress)
    expect(await ran('approved one')).toBe(0)
    expect((await decide(stage.gateway, 'approve', review.id, 'ann')).code).toBe(0)
    await prompt.until(/UPDATE 100/)
    expect(await settled(stage.gateway, review.id)).toBe('approved')
    expect(await ran('approved one')).toBe(1)
    expect(await prompt.end()).toBe(0)
  })

  it('a denial tells the reason of the reviewer, and the session goes on', async () => {
    const prompt = openPsql(await stage.gateway.url('robot', 'shop'))
    prompt.say('update orders set total = 0 /* denied one */;')
    const review = await openReview(stage.gateway, 'denied one')
    expect((await decide(stage.gateway, 'deny', review.id, 'ann')).code).toBe(0)
    await prompt.until(/ERROR:\s+42501: .*deny by ann/)
    prompt.say('select 6 * 7;')
    await prompt.until(/^42$/m)
    expect(await ran('denied one')).toBe(0)
    await prompt.end()
  })

  it('Ctrl-C withdraws it at once', async () => {
    const prompt = openPsql(await stage.gateway.url('robot', 'shop'))
    prompt.say('update orders set total = 0 /* withdrawn one */;')
    const review = await openReview(stage.gateway, 'withdrawn one')
    await prompt.until(/NOTICE/)
    prompt.interrupt()
    await prompt.until(/ERROR:\s+57014/)
    expect(await settled(stage.gateway, review.id)).toBe('withdrawn')
    const late = await decide(stage.gateway, 'approve', review.id, 'ann')
    expect(late.code).toBe(1)
    expect(await ran('withdrawn one')).toBe(0)
    await prompt.end()
  })

  it('and the connection goes on after that', async () => {
    const wire = await stage.wire('robot', 'shop')
    wire.send(query('begin'), query('update orders set total = 0 /* cancelled one */'))
    await openReview(stage.gateway, 'cancelled one')
    await wire.cancel()
    await wire.until('Z')
    const answers = await wire.until('Z')
    expect(answers.at(-1)?.body.toString()).toBe('E')
    expect((await wire.ask('rollback')).at(-1)?.body.toString()).toBe('I')
    expect(await ran('cancelled one')).toBe(0)
  })

  it('a client that is gone withdraws it', async () => {
    const prompt = openPsql(await stage.gateway.url('robot', 'shop'))
    prompt.say('update orders set total = 0 /* left behind */;')
    const review = await openReview(stage.gateway, 'left behind')
    prompt.kill()
    expect(await settled(stage.gateway, review.id)).toBe('withdrawn')
    expect(await ran('left behind')).toBe(0)
  })

  it('what nobody answers is denied when its time is over', async () => {
    const result = await psql(
      await stage.gateway.url('robot', 'shop'),
      'insert into staff values (900, 1) /* unanswered */;\nselect 7;\n',
    )
    expect(result.stdout).toBe('7\n')
    expect(result.stderr).toMatch(/ERROR:\s+42501: .*soon-over/)
    const review = (await reviews(stage.gateway)).find(({ text }) => text.includes('unanswered'))
    expect(review?.state).toBe('expired')
    expect(await ran('unanswered')).toBe(0)
  })
})

describe('an approval', () => {
  it('is not the callers own to give, nor of those who are not asked', async () => {
    const wire = await stage.wire('ann', 'shop')
    wire.send(query('update orders set total = 0 /* by ann */'))
    const review = await openReview(stage.gateway, 'by ann')
    for (const [who, code] of [
      ['ann', 1],
      ['guest', 1],
      ['robot', 1],
    ] as const)
      expect((await decide(stage.gateway, 'approve', review.id, who)).code).toBe(code)
    expect(await ran('by ann')).toBe(0)
    expect((await decide(stage.gateway, 'approve', review.id, 'ben')).code).toBe(0)
    const answers = await wire.until('Z')
    expect(answers.map(({ type }) => type).join('')).toMatch(/^N+CZ$/)
  })

  it('counts distinct people where two are asked', async () => {
    const wire = await stage.wire('robot', 'shop')
    await onServer(stage.facts, stage.database, 'insert into staff values (1, 1)')
    wire.send(query('delete from staff where id = 1 /* two */'))
    const review = await openReview(stage.gateway, '/* two */')
    expect((await decide(stage.gateway, 'approve', review.id, 'ann')).code).toBe(0)
    await decide(stage.gateway, 'approve', review.id, 'ann') // refused or without effect: the same person
    expect((await openReview(stage.gateway, '/* two */')).id).toBe(review.id)
    expect(await ran('/* two */')).toBe(0)
    expect((await decide(stage.gateway, 'approve', review.id, 'ben')).code).toBe(0)
    expect((await wire.until('Z')).map(({ type }) => type).join('')).toMatch(/^N+CZ$/)
    expect(await ran('/* two */')).toBe(1)
  })

  it('is for this text and these parameters, once', async () => {
    const wire = await stage.wire('robot', 'shop')
    const messages = (value: string): readonly Buffer[] => [
      parse('', 'update orders set total = $1 /* bound */'),
      bind('', '', [value]),
      execute(),
      sync,
    ]
    wire.send(...messages('11'))
    const first = await openReview(stage.gateway, 'bound')
    await decide(stage.gateway, 'approve', first.id, 'ann')
    expect((await wire.until('Z')).map(({ type }) => type).join('')).toMatch(/^1?2?N+1?2?CZ$/)
    for (const value of ['11', '12']) {
      wire.send(...messages(value))
      const again = await openReview(stage.gateway, 'bound')
      expect(again.id).not.toBe(first.id)
      await decide(stage.gateway, 'deny', again.id, 'ann')
      const error = (await wire.until('Z')).find(({ type }) => type === 'E')
      expect(fields(error?.body ?? Buffer.alloc(0))).toMatchObject({ C: '42501' })
    }
  })

  it('of a statement in a transaction lets the transaction go on', async () => {
    const wire = await stage.wire('robot', 'shop')
    await wire.ask('begin')
    wire.send(query('update orders set total = 5 /* inside */'))
    const review = await openReview(stage.gateway, 'inside')
    await decide(stage.gateway, 'approve', review.id, 'ann')
    expect((await wire.until('Z')).at(-1)?.body.toString()).toBe('T')
    expect((await wire.ask('rollback')).at(-1)?.body.toString()).toBe('I')
  })

  it('that is waited for holds up no other session, and its answers come in order', async () => {
    const wire = await stage.wire('robot', 'shop')
    // The notice of the review comes at once, so it may stand before the answers to what was sent earlier.
    const codes: string[] = []
    const nextAnswer = async (): Promise<string> => {
      const all = (await wire.until('Z')).map(({ type }) => type)
      codes.push(...all)
      return all.filter((type) => type !== 'N').join('')
    }
    wire.send(query('select 1'), query('update orders set total = 5 /* in order */'), query('select 3'))
    expect(await nextAnswer()).toBe('TDCZ')
    const review = await openReview(stage.gateway, 'in order')
    const other = await stage.wire('second', 'shop')
    expect((await other.ask('select 1')).map(({ type }) => type).join('')).toBe('TDCZ')
    await decide(stage.gateway, 'approve', review.id, 'ann')
    expect(await nextAnswer()).toBe('CZ')
    expect(await nextAnswer()).toBe('TDCZ')
    expect(codes).toContain('N')
  })

  it('is on record with who gave it', async () => {
    const sessions = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list')
    const shown = await Promise.all(
      sessions.map(({ id }) =>
        stage.gateway.json<{ statementList: readonly { text: string; ruling: { reviewers: readonly string[] } | null }[] }>(
          'sessions',
          'show',
          id,
        ),
      ),
    )
    const statements = shown.flatMap(({ statementList }) => statementList)
    expect(statements.find(({ text }) => text.includes('/* two */'))?.ruling?.reviewers.toSorted()).toEqual(['ann', 'ben'])
    expect(statements.find(({ text }) => text.includes('approved one'))?.ruling?.reviewers).toEqual(['ann'])
  })
})

describe('a review whose gateway was killed', () => {
  it('is withdrawn when it is back: nobody approves what nobody waits for', async () => {
    const own = await openStage()
    try {
      const wire = await own.wire('robot', 'shop')
      wire.send(query('update orders set total = 0 /* left behind */'))
      const review = await openReview(own.gateway, 'left behind')
      await own.gateway.kill()
      await own.gateway.restart()
      expect(await settled(own.gateway, review.id)).toBe('withdrawn')
      expect(await decide(own.gateway, 'approve', review.id, 'ann')).toMatchObject({ code: 1 })
      expect((await settledStatements(own.facts, own.database)).filter(({ text }) => text.includes('left behind'))).toEqual([])
    } finally {
      await own.close()
    }
  })
})
