// The console in a real browser, before a real gateway and a real server: people decide, look into what happened, and are safe from it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser, openWindow, screenshot, signIn, type Window, type WindowOptions } from '../backends/browser.js'
import { lacks } from '../backends/programs.js'
import { openPsql } from '../backends/psql.js'
import { openReview } from '../backends/reviews.js'
import { openStage, type Stage } from '../backends/shop.js'
import { query } from '../backends/wire-client.js'

let stage: Stage
let browser: Browser

const missing = lacks('chromium')

beforeAll(async () => {
  if (missing) return
  ;[stage, browser] = await Promise.all([openStage({ rest: 'operators: { groups: [dba] }' }), openBrowser()])
})

afterAll(async () => {
  if (missing) return
  await Promise.all([browser.close(), stage.close()])
})

const open = (options?: WindowOptions): Promise<Window> => openWindow(browser, stage.gateway.consoleAddress, options)

async function asked(sql: string): Promise<{ readonly id: string; readonly answer: () => Promise<string> }> {
  const wire = await stage.wire('robot', 'shop')
  wire.send(query(sql))
  const { id } = await openReview(stage.gateway, sql)
  return { id, answer: async () => (await wire.until('Z')).map(({ type }) => type).join('') }
}

describe.skipIf(missing || lacks('psql'))('a held statement of psql', () => {
  it('appears by itself, is approved in the browser, and completes', async () => {
    const { page, faults } = await open()
    await signIn(page, await stage.gateway.token('ann'))
    await page.getByText('Nothing waits.').waitFor()
    const prompt = openPsql(await stage.gateway.url('robot', 'shop'))
    prompt.say('update orders set total = 0 /* in the browser */;')
    const card = page.getByRole('article').filter({ hasText: 'in the browser' })
    await card.waitFor()
    expect(await card.innerText()).toMatch(/robot on shop[\s\S]*changes every row of [\s\S]*orders[\s\S]*unbounded-writes/)
    expect(await card.getByRole('timer').innerText()).toMatch(/^1[45] min left$/)
    expect(await page.title()).toBe('(1) Reviews · Sallyport')
    await screenshot(page, 'reviews-light')
    await card.getByLabel('Reason').fill('seen in the browser')
    await card.getByRole('button', { name: 'Approve' }).click()
    await prompt.until(/UPDATE 100/)
    await card.getByText('Approved by ann.').waitFor()
    expect(await page.title()).toBe('Reviews · Sallyport')
    expect(await prompt.end()).toBe(0)
    expect(faults).toEqual([])
  })

  it('is found by the address in its NOTICE, through the sign-in, and denied with words that reach psql', async () => {
    const prompt = openPsql(await stage.gateway.url('robot', 'shop'))
    prompt.say('update orders set total = 0 /* by its address */;')
    const address = /http:\/\/\S+\/reviews\/[a-z0-9]+/.exec(await prompt.until(/NOTICE.*reviews approve/s))?.[0] ?? ''
    const { page, faults } = await open()
    await signIn(page, await stage.gateway.token('ben'), new URL(address).pathname)
    await page.getByLabel('Reason').fill('<b>not</b> today')
    await page.getByRole('button', { name: 'Deny' }).click()
    await prompt.until(/ERROR:\s+42501: .*<b>not<\/b> today/)
    await page.getByText('Denied by ben.').waitFor()
    await prompt.end()
    expect(faults).toEqual([])
  })
})

describe.skipIf(missing)('reviews', () => {
  it('say why somebody may not decide, and when somebody else was first', async () => {
    const { id, answer } = await asked('delete from staff where id = 77 /* by two */')
    const [ann, ben] = [await open(), await open({ width: 400 })]
    await signIn(ann.page, await stage.gateway.token('ann'), `/reviews/${id}`)
    await signIn(ben.page, await stage.gateway.token('ben'), `/reviews/${id}`)
    expect(await ann.page.getByRole('article').innerText()).toContain('needs 2 people of dba; 0 so far')
    await ann.page.getByRole('button', { name: 'Approve' }).click()
    await ann.page.getByText('You have approved it; it waits for others to agree.').waitFor()
    await ben.page.getByText('1 so far').waitFor()
    await screenshot(ben.page, 'review-narrow')
    await ben.page.getByRole('button', { name: 'Approve' }).click()
    await ann.page.getByText(/^Approved by ann, ben\.$/).waitFor()
    expect(await answer()).toMatch(/^N+CZ$/)

    const own = await stage.wire('ann', 'shop')
    own.send(query('update orders set total = 1 /* of ann */'))
    const mine = await openReview(stage.gateway, 'of ann')
    await ann.page.goto(`/reviews/${mine.id}`)
    await ann.page.getByText('This is your own statement; somebody else must decide.').waitFor()
    expect(await ann.page.getByRole('button', { name: 'Approve' }).count()).toBe(0)
    own.close()
    await ann.page.getByText('Whoever asked withdrew it or left.').waitFor()
    expect([...ann.faults, ...ben.faults]).toEqual([])
  })

  it('that are long are read whole before they are decided', async () => {
    const { id, answer } = await asked(`update orders set total = 2 /*${'\n'.repeat(60)} at the very end */`)
    const { page } = await open()
    await signIn(page, await stage.gateway.token('ann'))
    const card = page.getByRole('article').filter({ hasText: id })
    expect(await card.getByRole('button', { name: 'Approve' }).count()).toBe(0)
    await card.getByRole('link', { name: 'Read all of it and decide' }).click()
    await page.getByText('at the very end').waitFor()
    await page.getByRole('button', { name: 'Deny' }).click()
    expect(await answer()).toMatch(/^N+EZ$/)
  })
})

describe.skipIf(missing)('a session', () => {
  it('is found, read, replayed, verified and searched', async () => {
    const client = await stage.client('robot', 'shop')
    await client.query('select id, email from customers order by id limit 3')
    await client.query('drop table orders').catch(() => undefined)
    await client.query('select $1::text as needle', ['in the haystack'])
    await client.end()
    const { page, faults } = await open()
    await signIn(page, await stage.gateway.token('ann'), '/sessions?identity=robot')
    await page.getByRole('row').nth(1).waitFor()
    await screenshot(page, 'sessions-light')
    await page.getByRole('row').nth(1).getByRole('link').click()
    await page.getByText('drop table orders').first().waitFor()
    await page.locator('summary', { hasText: 'drop table' }).click()
    await page.getByRole('button', { name: 'Play from here' }).waitFor()
    expect(await page.locator('details[open]').innerText()).toMatch(/changes the schema: drop [\s\S]*no-schema-changes/)
    await page.getByRole('button', { name: 'Play from here' }).click()
    const transcript = page.getByRole('log')
    await transcript.getByText('denied by rule no-schema-changes').first().waitFor()
    expect(await transcript.innerText()).not.toContain('select id, email')
    await page.getByLabel('Speed').selectOption('no waiting')
    await page.getByText('The end.').waitFor()
    await page.getByRole('button', { name: 'Play again' }).click()
    await transcript.getByText('id | email').waitFor()
    await page.getByText('The end.').waitFor()
    expect(await transcript.innerText()).not.toMatch(/[a-z]{3,}\d*@example/)
    await page.getByRole('button', { name: 'Verify' }).click()
    await page.getByText('The record is whole.').waitFor()
    await screenshot(page, 'session-light')
    await page.getByRole('link', { name: 'Search' }).click()
    await page.getByLabel('Text in the statement').fill('as needle')
    await page.getByRole('button', { name: 'Search' }).click()
    await page
      .getByRole('link', { name: /^statement / })
      .first()
      .click()
    expect(await page.locator('li.wanted details[open]').innerText()).toContain('in the haystack')
    expect(faults).toEqual([])
  })

  it('that is live is ended by the operator', async () => {
    const client = await stage.client('second', 'plain')
    const ended = new Promise<void>((resolve) => client.on('end', resolve))
    await client.query('select 1')
    const { page } = await open()
    await signIn(page, stage.gateway.adminToken(), '/sessions?live=true&identity=second')
    await page.getByRole('row').nth(1).getByRole('link').click()
    await page.getByRole('button', { name: 'End session' }).click()
    await page.getByRole('button', { name: 'Cut it now' }).click()
    await ended
    await page.getByText('Ended', { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: 'End session' }).count()).toBe(0)
  })

  it('of thousands of statements is shown a page at a time', async () => {
    const client = await stage.client('second', 'plain')
    for (let i = 0; i < 230; i++) await client.query(`select ${i} as number`)
    await client.end()
    const { page } = await open()
    await signIn(page, stage.gateway.adminToken(), '/sessions?identity=second')
    await page.getByRole('row', { name: /230/ }).getByRole('link').click()
    const rows = page.locator('.statements li')
    await page.getByText('select 0 as number').waitFor()
    expect(await rows.count()).toBeLessThanOrEqual(100)
    await page.getByRole('button', { name: 'Later →' }).click()
    await page.getByRole('button', { name: 'Later →' }).click()
    await page.getByText('select 229 as number').waitFor()
    expect(await page.getByRole('button', { name: 'Later →' }).count()).toBe(0)
    await page.getByRole('button', { name: '← Earlier' }).click()
    await page.getByText('select 150 as number').waitFor()
  })
})

describe.skipIf(missing)('a session that is over', () => {
  it('gives its evidence as a file, which proves itself without the gateway', async () => {
    const client = await stage.client('robot', 'shop')
    await client.query('select 4711 as taken_along')
    await client.end()
    const { page, faults } = await open()
    await signIn(page, await stage.gateway.token('ann'), '/search?text=taken_along')
    await page.getByRole('link', { name: 'statement 1' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Save evidence' }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/^s[a-z0-9]{20}\.evidence\.jsonl$/)
    const file = join(stage.gateway.home, '..', 'saved.jsonl')
    await download.saveAs(file)
    expect(await stage.gateway.cli(['verify', '--file', file])).toMatchObject({ code: 0 })
    expect(readFileSync(file, 'utf8')).toContain('"session"')
    expect(faults).toEqual([])
  })
})

describe.skipIf(missing)('hostile text', () => {
  const markup = '<img src=x onerror="document.title=\'owned\'"><script>alert(1)</script>'

  it('is shown as it is, does nothing, and hides nothing', async () => {
    const client = await stage.client('robot', 'shop', { application_name: `${markup}\u202e` })
    await client.query(`select 1 as "${markup.replaceAll('"', '""')}" /* \u202ereversed \u001b[31m */`)
    const held = client.query('update orders set total = total + length($1) * 0', [`${markup}\u200b`])
    await openReview(stage.gateway, 'length($1)')
    const { page, faults } = await open({ dark: true })
    await signIn(page, await stage.gateway.token('ann'))
    const card = page.getByRole('article').filter({ hasText: 'length($1)' })
    expect(await card.innerText()).toContain(`${markup}U+200B`)
    await screenshot(page, 'hostile-review-dark')
    await card.getByRole('button', { name: 'Approve' }).click()
    await held
    await card.getByRole('link', { name: 'its session' }).click()
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    await page.getByLabel('Speed').selectOption('no waiting')
    await page.getByRole('log').getByText('UPDATE 100').waitFor()
    const text = await page.locator('main').innerText()
    expect(text).toContain('U+202Ereversed ESC[31m')
    expect(text).toContain(`calls itself ${markup}U+202E`)
    await page.goto(`/search?text=${encodeURIComponent('<script>alert(1)')}`)
    await page.getByText('U+202E').first().waitFor()
    await screenshot(page, 'hostile-search-dark')
    expect(await page.title()).toBe('Search · Sallyport')
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(faults).toEqual([])
    await client.end()
  })
})

describe.skipIf(missing)('signing in', () => {
  it('keeps the token out of the reach of the page, and ends when it is revoked', async () => {
    const token = await stage.gateway.token('guest')
    const { page, context } = await open()
    await page.goto('/')
    await page.getByLabel('Access token').fill('sp_nonsense')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('Login failed').waitFor()
    await screenshot(page, 'sign-in-light')
    await signIn(page, token)
    const kept = await page.evaluate(
      'JSON.stringify([document.cookie, localStorage, sessionStorage, location.href, history.state])',
    )
    expect(kept).not.toMatch(/sp_|sallyport-/)
    const [cookie, ...others] = await context.cookies()
    expect([cookie?.httpOnly, cookie?.sameSite, others.length, cookie?.value.includes(token)]).toEqual([true, 'Strict', 0, false])
    const tokens = await stage.gateway.json<readonly { id: string; identity: string }[]>('token', 'list')
    await stage.gateway.cli(['token', 'revoke', tokens.find(({ identity }) => identity === 'guest')?.id ?? ''])
    await page.getByRole('link', { name: 'Targets' }).click()
    await page.getByText('You were signed out').waitFor()
  })

  it('ends by signing out, for good', async () => {
    const { page, context } = await open()
    await signIn(page, await stage.gateway.token('ann'))
    const cookies = await context.cookies()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Access token').waitFor()
    await context.addCookies(cookies)
    await page.goto('/targets')
    await page.getByLabel('Access token').waitFor()
    expect(await page.getByRole('heading', { name: 'Targets' }).count()).toBe(0)
  })

  it('shows what is mine: an operator’s rules, a guest’s nothing', async () => {
    const { page, faults } = await open({ dark: true })
    await signIn(page, await stage.gateway.token('ann'), '/rules')
    await page.getByRole('heading', { name: 'no-schema-changes' }).waitFor()
    await screenshot(page, 'rules-dark')
    await page.getByRole('link', { name: 'Targets' }).click()
    expect(await page.locator('.copyable code').first().innerText()).toMatch(/^postgresql:\/\/ann:TOKEN@127\.0\.0\.1:\d+\/\w+$/)
    await screenshot(page, 'targets-dark')
    const guest = await open()
    await signIn(guest.page, await stage.gateway.token('guest'), '/targets')
    await guest.page.getByText('Nothing: no grant names you').waitFor()
    expect(await guest.page.getByRole('link', { name: 'Rules' }).count()).toBe(0)
    await guest.page.goto('/rules')
    await guest.page.getByText('it takes the admin token').waitFor()
    expect(faults).toEqual([])
  })
})

describe.skipIf(missing)('the page', () => {
  it.each(['/', '/sessions', '/search?text=select', '/targets', '/rules'])('%s fits a narrow window', async (path) => {
    const { page, faults } = await open({ width: 400 })
    await signIn(page, stage.gateway.adminToken(), path)
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.waitForLoadState('load')
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400)
    expect(faults).toEqual([])
  })

  it('is used with the keyboard alone', async () => {
    const { id, answer } = await asked('update orders set total = 3 /* by keyboard */')
    const { page } = await open()
    await page.goto(`/reviews/${id}`)
    await page.getByLabel('Access token').focus()
    await page.keyboard.type(await stage.gateway.token('ann'))
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Approve' }).waitFor()
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab')
      if ((await page.evaluate('document.activeElement?.textContent')) === 'Approve') break
    }
    await page.keyboard.press('Enter')
    expect(await answer()).toMatch(/^N+CZ$/)
  })
})
