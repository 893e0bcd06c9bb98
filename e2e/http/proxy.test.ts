// HTTP through the gateway: who, where, what goes on and what comes back, with curl, Node's own client and Python's requests.

import { connect } from 'node:http2'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks, program, run } from '../backends/programs.js'
import { openHttpStage, plantedCard, plantedMail, storedKey, type HttpStage } from '../backends/http-stage.js'
import { decide, openReview } from '../backends/reviews.js'

let stage: HttpStage
beforeAll(async () => {
  stage = await openHttpStage()
})
afterAll(() => stage.close())

interface Echo {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: number
}

const echoed = async (answer: Promise<Response>): Promise<Echo> => (await (await answer).json()) as Echo

describe('a request that is allowed', () => {
  it("reaches the target with the stored credential and without the caller's", async () => {
    const echo = await echoed(stage.ask('/orders/5?a=1', { headers: { 'x-other': `see ${stage.token}`, 'x-mine': 'kept' } }))
    expect(echo).toMatchObject({ method: 'GET', url: '/orders/5?a=1' })
    expect(echo.headers).toMatchObject({
      'x-api-key': storedKey,
      'x-mine': 'kept',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-prefix': '/crm',
    })
    expect(echo.headers['host']).toBe(new URL(stage.backend.url).host)
    expect(JSON.stringify(echo)).not.toContain(stage.token)
  })

  it.each([
    ['Sallyport-Token', (token: string) => ['-H', `Sallyport-Token: ${token}`, '-H', 'Authorization: Basic YTpi']],
    ['X-Api-Key', (token: string) => ['-H', `X-Api-Key: ${token}`, '-H', 'Authorization: Basic YTpi']],
    ['Basic', (token: string) => ['-u', `robot:${token}`]],
  ])('is taken with %s', async (name, shown) => {
    const answer = await run(program('curl'), ['-sS', ...shown(stage.token), `${stage.url}/x`])
    const { headers } = JSON.parse(answer.stdout) as Echo
    expect(headers['x-api-key']).toBe(storedKey)
    expect(headers['authorization']).toBe(name === 'Basic' ? undefined : 'Basic YTpi')
    expect(headers['sallyport-token']).toBeUndefined()
  })

  it('is not believed about addresses, and its hop-by-hop fields stay behind', async () => {
    const answer = await stage.curl(
      '-H',
      'X-Forwarded-For: 6.6.6.6',
      '-H',
      'Forwarded: for=6.6.6.6',
      '-H',
      'Connection: x-hop',
      '-H',
      'X-Hop: 1',
      '-H',
      'TE: trailers',
      `${stage.url}/x`,
    )
    expect(answer.stdout).not.toMatch(/6\.6\.6\.6|x-hop/)
    expect(answer.stdout).toContain('"te":"trailers"')
  })

  it('by host, by proxy and over TLS means the same', async () => {
    const { port, token, gateway, backend } = stage
    const ca = join(gateway.home, 'ca.pem')
    writeFileSync(ca, (await gateway.cli(['ca'])).stdout)
    const tls = ['--cacert', ca, '--resolve', `crm.gateway.test:${port}:127.0.0.1`]
    const ways: readonly (readonly string[])[] = [
      ['-H', `Host: crm.gateway.test`, '-H', `Authorization: Bearer ${token}`, `http://127.0.0.1:${port}/way`],
      ['-x', `http://robot:${token}@127.0.0.1:${port}`, `${backend.url}/way`],
      ['-p', '-x', `http://robot:${token}@127.0.0.1:${port}`, `${backend.url}/way`],
      [...tls, '-H', `Authorization: Bearer ${token}`, `https://crm.gateway.test:${port}/way`],
      [...tls, '--http1.1', '-H', `Authorization: Bearer ${token}`, `https://crm.gateway.test:${port}/way`],
      ['--http2-prior-knowledge', '-H', `Authorization: Bearer ${token}`, `${stage.url}/way`],
      ['--http2', '-H', `Authorization: Bearer ${token}`, `${stage.url}/way`],
      ['-H', `Authorization: Bearer ${token}`, `http://127.0.0.1:${gateway.autoPort}/crm/way`],
      ['--cacert', ca, '-H', `Authorization: Bearer ${token}`, `https://127.0.0.1:${gateway.autoPort}/crm/way`],
    ]
    for (const way of ways) {
      const answer = await run(program('curl'), ['-sS', '-m', '10', ...way])
      expect(`${answer.stderr}${answer.stdout}`).toContain('"url":"/way"')
    }
  })

  it('streams uploads of any size, with 100-continue', async () => {
    const file = join(stage.gateway.home, 'upload')
    writeFileSync(file, Buffer.alloc(48 * 1024 * 1024, 'x'))
    const answer = await stage.curl('-T', file, '-H', 'Expect: 100-continue', `${stage.url}/upload`)
    expect(answer.stdout).toContain('100 Continue')
    expect(answer.stdout).toContain(`"bytes":${48 * 1024 * 1024}`)
  })

  it('keeps ranges, trailers, HEAD and cut answers as they are', async () => {
    const range = await stage.ask('/range', { headers: { range: 'bytes=2-4' } })
    expect([range.status, range.headers.get('content-range'), await range.text()]).toEqual([206, 'bytes 2-4/10', '234'])
    expect((await stage.curl('--raw', '-H', 'TE: trailers', `${stage.url}/trailers`)).stdout).toMatch(/0\r\nx-sum: 42/)
    const head = await stage.curl('-I', `${stage.url}/x`)
    expect([head.code, head.stdout.includes('200 OK')]).toEqual([0, true])
    const cut = await stage.curl(`${stage.url}/cut`)
    expect(cut.code).toBe(18)
  })

  it('hears of a stream before its first event', async () => {
    const answer = await stage.ask('/slow.events')
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    await stage.ask('/release')
    expect(await answer.text()).toBe('data: released\n\n')
  })

  it('gets redirects and cookies that lead back through the gateway', async () => {
    const moved = await stage.ask('/moved')
    expect(moved.headers.get('location')).toBe(`${stage.url}/there?x=1`)
    expect(moved.headers.getSetCookie()).toEqual(['sid=abc; Path=/crm/; HttpOnly', 'other=1'])
  })

  it('works with many streams of one HTTP/2 connection', async () => {
    const session = connect(`http://127.0.0.1:${stage.port}`)
    const one = (n: number): Promise<string> =>
      new Promise((done, fail) => {
        const stream = session.request({ ':path': `/crm/n/${n}`, ':method': 'POST', authorization: `Bearer ${stage.token}` })
        let text = ''
        stream
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => done(text))
          .on('error', fail)
        stream.end(`{"n":${n}}`)
      })
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => one(n)))
    expect(answers.every((text, n) => text.includes(`"url":"/n/${n}"`) && text.includes(`"body":"{\\"n\\":${n}}"`))).toBe(true)
    session.close()
  })

  it.skipIf(lacks('python3'))("works with Python's urllib and, where it is installed, requests", async () => {
    const script = `
import json, sys, urllib.request
url, token = sys.argv[1:]
r = urllib.request.Request(url + '/py', data=json.dumps({'a': 1}).encode(), headers={'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'})
print(json.load(urllib.request.urlopen(r))['body'])
try:
    import requests
except ImportError:
    sys.exit()
s = requests.Session()
s.headers['Authorization'] = 'Bearer ' + token
for i in range(20):
    assert s.post(url + '/py', json={'a': i}).json()['body'] == json.dumps({'a': i})
assert s.delete(url + '/orders/5').status_code == 403
assert b''.join(s.get(url + '/people', stream=True).iter_content(7)).startswith(b'{"data"')
`
    const answer = await run(program('python3'), ['-c', script, stage.url, stage.token])
    expect([answer.stderr, answer.stdout.trim()]).toEqual(['', '{"a": 1}'])
  })
})

describe('a request that is refused', () => {
  it('says who may ask', async () => {
    const nobody = await fetch(`${stage.url}/x`)
    expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer realm="sallyport", Basic realm="sallyport", charset="UTF-8"',
    ])
    const wrong = await fetch(`${stage.url}/x`, { headers: { authorization: 'Bearer sp_doesnotexist' } })
    expect(wrong.status).toBe(401)
    const ungranted = await fetch(`${stage.url}/x`, {
      headers: { authorization: `Bearer ${await stage.gateway.token('stranger')}` },
    })
    expect([ungranted.status, ((await ungranted.json()) as { code: string }).code]).toEqual([403, 'not-granted'])
    const unknown = await run(program('curl'), [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_connect}',
      '-p',
      '-x',
      `http://robot:${stage.token}@127.0.0.1:${stage.port}`,
      'http://127.0.0.1:1/',
    ])
    expect(unknown.stdout).toBe('403')
  })

  it('is a 403 with rule, reason, session, statement and hint, and never reaches the target', async () => {
    const before = stage.backend.asked.length
    const answer = await stage.ask('/orders/77', { method: 'DELETE' })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([403, 'application/problem+json'])
    expect(await answer.json()).toMatchObject({
      rule: 'no-deleting',
      reason: 'Orders are kept.',
      hint: 'Cancel it instead.',
      detail: 'denied by rule no-deleting: Orders are kept.',
    })
    expect(stage.backend.asked.length).toBe(before)
  })

  it.each([
    ['/orders//77', 'DELETE'],
    ['/x/../orders/77', 'DELETE'],
    ['/x/%2e%2e/orders/77', 'DELETE'],
    ['/orders%2f77', 'DELETE'],
    ['/orders;v=1/77', 'DELETE'],
    ['/%61dmin', 'GET'],
    ['/x/%2e%2e/%61dmin/', 'GET'],
    ['/%2561dmin', 'GET'],
  ])('cannot hide its path: %s', async (path, method) => {
    expect((await stage.curl('--path-as-is', '-X', method, stage.url + path)).stdout).toMatch(/^HTTP\/1.1 403 /)
  })

  it('cannot hide its method, its fields or its operations', async () => {
    const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
      stage.ask('/api', { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })
    const override = await stage.ask('/orders/7', { method: 'POST', headers: { 'x-http-method-override': 'DELETE' } })
    expect(override.status).toBe(403)
    expect((await post('{"person":{"salary":1}}')).status).toBe(403)
    expect((await post('{"person":{"s\\u0061lary":1}}')).status).toBe(403)
    expect((await post('{"a":1,"A":2}')).status).toBe(403)
    expect((await post('{"person":{"name":1}}')).status).toBe(200)
    expect((await post(JSON.stringify({ query: 'mutation { deleteUser(id: 1) { id } }' }))).status).toBe(403)
    expect((await post(JSON.stringify({ query: 'query { user { id salary } }' }))).status).toBe(403)
    expect((await post(JSON.stringify({ query: 'query { user { id } }' }))).status).toBe(200)
  })

  it('never carries the token in its path', async () => {
    expect((await stage.ask(`/x?t=${stage.token}`)).status).toBe(400)
  })
})

describe('a masked answer', () => {
  it.each(['/people', '/people.gz', '/people.csv', '/people.events'])('shows nothing of what is covered: %s', async (path) => {
    const answer = await stage.ask(path, { headers: { 'accept-encoding': 'gzip, br' } })
    const text = await answer.text()
    expect(answer.status).toBe(200)
    expect(text).not.toContain(plantedMail)
    expect(text).not.toContain(plantedCard)
    expect(text).toContain('a***@example.test')
    expect(answer.headers.get('etag')).toBeNull()
  })

  it('is denied where it cannot be masked', async () => {
    const answer = await stage.ask('/people.bin')
    expect(answer.status).toBe(403)
    expect(await answer.text()).not.toContain(plantedMail)
  })
})

describe('a held request', () => {
  it('goes on when somebody agrees while it waits', async () => {
    const answer = stage.ask('/refunds', { method: 'POST', body: '{"amount":1}' })
    const review = await openReview(stage.gateway, '"amount":1')
    await decide(stage.gateway, 'approve', review.id, 'lea')
    expect((await answer).status).toBe(200)
  })

  it('past its patience says where the review is; the same request then goes through once', async () => {
    const refund = (amount: number): Promise<Response> => stage.ask('/refunds', { method: 'POST', body: `{"amount":${amount}}` })
    const late = await refund(2)
    expect([late.status, late.headers.get('retry-after')]).toEqual([403, '15'])
    const review = await openReview(stage.gateway, '"amount":2')
    expect(((await late.json()) as { hint: string }).hint).toContain(review.id)
    await decide(stage.gateway, 'approve', review.id, 'lea')
    expect((await refund(3)).status).toBe(403)
    const before = stage.backend.asked.length
    expect((await refund(2)).status).toBe(200)
    expect(stage.backend.asked.length).toBe(before + 1)
    expect((await refund(2)).status).toBe(403)
    expect(stage.backend.asked.length).toBe(before + 1)
  })
})

describe('the record', () => {
  it('holds each exchange, one session for all connections, and no secret', async () => {
    await stage.ask('/recorded?api_key=planted-secret-1', {
      headers: { cookie: 'sid=planted-secret-2', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    })
    const sessions = await stage.gateway.json<readonly { id: string; target: string; protocol: string }[]>('sessions', 'list')
    const shown = await Promise.all(
      sessions.map(({ id }) => stage.gateway.json<{ statementList: readonly { text: string }[] }>('sessions', 'show', id)),
    )
    const index = shown.findIndex(({ statementList }) => statementList.some(({ text }) => text.startsWith('GET /recorded')))
    expect(shown[index]?.statementList.length).toBeGreaterThan(20)
    const id = sessions[index]?.id ?? ''
    const har = (await stage.gateway.cli(['replay', id, '--format', 'har'])).stdout
    const { log } = JSON.parse(har) as {
      log: { entries: readonly { request: { url: string }; response: { status: number }; _sallyport: { provenance?: string } }[] }
    }
    const entry = log.entries.find(({ request }) => request.url.includes('/recorded'))
    expect([entry?.response.status, entry?._sallyport.provenance]).toEqual([200, `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`])
    const text = (await stage.gateway.cli(['replay', id, '--instant'])).stdout
    expect(text).toContain('denied by rule no-deleting: Orders are kept.')
    for (const secret of [storedKey, stage.token, 'planted-secret-1', 'planted-secret-2', plantedMail, plantedCard]) {
      // The backend echoes what it was sent: the stored key and the cookie are in its answers, as they would not be in a real one's.
      if (secret !== storedKey && secret !== 'planted-secret-2' && secret !== 'planted-secret-1')
        expect(har + text).not.toContain(secret)
    }
    const requests = JSON.stringify(log.entries.map(({ request }) => request))
    for (const secret of [storedKey, stage.token, 'planted-secret-1', 'planted-secret-2']) expect(requests).not.toContain(secret)
    expect((await stage.gateway.cli(['verify', id])).code).toBe(0)
  })

  it('ends with its token: the next request is not let in', async () => {
    const token = await stage.gateway.token('robot')
    const ask = (): Promise<Response> => fetch(`${stage.url}/x`, { headers: { authorization: `Bearer ${token}` } })
    expect((await ask()).status).toBe(200)
    const tokens = await stage.gateway.json<readonly { id: string; createdAt: string }[]>('token', 'list')
    const newest = tokens.toSorted((a, b) => b.createdAt.localeCompare(a.createdAt))[0]
    await stage.gateway.cli(['token', 'revoke', newest?.id ?? ''])
    expect((await ask()).status).toBe(401)
  })
})

describe('connect and run', () => {
  it('set curl up with the token in no argument', async () => {
    const direct = await stage.gateway.cli(['connect', 'crm', '--as', 'robot', '--', '/by-connect', '-sS'])
    expect(direct.stdout).toContain('"url":"/by-connect"')
    const proxied = await stage.gateway.cli(['run', '--as', 'robot', '--', 'curl', '-sS', `${stage.backend.url}/by-run`])
    expect(proxied.stdout).toContain('"url":"/by-run"')
    expect(proxied.stdout).toContain(storedKey)
  })
})
