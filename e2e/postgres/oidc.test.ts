// A JWT of a configured issuer as the password, over TLS: who it names gets in, as that, and nobody else.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audience, startIssuer, type TestIssuer } from '../backends/oidc-provider.js'
import { lacks } from '../backends/programs.js'
import { psql } from '../backends/psql.js'
import { openStage, type Stage } from '../backends/shop.js'

let issuer: TestIssuer
let stage: Stage

beforeAll(async () => {
  issuer = await startIssuer()
  stage = await openStage({
    rest: `identityProviders:\n  - { name: corp, kind: oidc, issuer: "${issuer.issuer}", clientId: sallyport, audience: ${audience}, groupsClaim: groups }\n`,
  })
})

afterAll(async () => {
  await stage.close()
  await issuer.close()
})

const claims = { preferred_username: 'mia@example.test', groups: ['dba'] }

async function enter(
  user: string,
  token: string,
  parameters = 'sslmode=require',
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const url = `postgresql://${encodeURIComponent(user)}@127.0.0.1:${stage.gateway.port}/plain?${parameters}`
  return psql(url, `select 'in';`, { env: { PGPASSWORD: token } })
}

describe.skipIf(lacks('psql'))('a JWT', () => {
  it('lets in whom it names, over TLS, and the session is theirs', async () => {
    expect(await enter('mia@example.test', await issuer.token(claims))).toMatchObject({ code: 0, stdout: 'in\n' })
    const sessions = await stage.gateway.json<{ identity: string }[]>('sessions', 'list', '--identity', 'mia@example.test')
    expect(sessions).toHaveLength(1)
  })

  it('lets in an agent that acts for a person, with both names on record', async () => {
    const token = await issuer.token({ ...claims, act: { sub: 'helper-bot', groups: ['agents'] } })
    expect(await enter('helper-bot', token)).toMatchObject({ code: 0, stdout: 'in\n' })
    const [session] = await stage.gateway.json<{ onBehalfOf: string }[]>('sessions', 'list', '--identity', 'helper-bot')
    expect(session?.onBehalfOf).toBe('mia@example.test')
  })

  it.each([
    ['of somebody else', async () => ['noa@example.test', await issuer.token(claims)]],
    ['that was changed', async () => ['mia@example.test', (await issuer.token(claims)).replace(/.{8}$/, 'AAAAAAAA')]],
    [
      'that has expired',
      async () => ['mia@example.test', await issuer.token({ ...claims, exp: Math.floor(Date.now() / 1000) - 120 })],
    ],
    ['for another audience', async () => ['mia@example.test', await issuer.token({ ...claims, aud: 'other' })]],
    ['of another issuer', async () => ['mia@example.test', await issuer.token({ ...claims, iss: 'https://elsewhere.test' })]],
    ['without a signature', async () => ['mia@example.test', unsigned(await issuer.token(claims))]],
    [
      'that takes the name of a configured identity',
      async () => ['robot', await issuer.token({ ...claims, preferred_username: 'robot' })],
    ],
  ])('is refused when it is one %s', async (_name, make) => {
    const [user = '', token = ''] = await make()
    const result = await enter(user, token)
    expect(result.code).toBe(2)
    expect(result.stderr).toContain('login failed')
    expect(result.stderr).not.toContain(token.slice(0, 20))
  })

  it('without a grant reaches nothing', async () => {
    const result = await enter('mia@example.test', await issuer.token({ ...claims, groups: ['guests'] }))
    expect(result.code).toBe(2)
    expect(result.stderr).toContain('no target plain for mia@example.test')
  })

  it('and no other password ever appears in the log', async () => {
    const token = await issuer.token(claims)
    await enter('mia@example.test', token)
    expect(stage.gateway.log()).not.toContain(token)
  })
})

function unsigned(token: string): string {
  const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt' })).toString('base64url')
  return `${header}.${token.split('.')[1] ?? ''}.`
}
