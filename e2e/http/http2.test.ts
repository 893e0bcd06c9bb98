// HTTP/2 to targets: agreed by TLS or known beforehand, with a server of Node and with nghttpd; its connections, its limits, trailers both
// ways, uploads, and what a target refuses or breaks off.

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectHttp2, constants } from 'node:http2'
import { createServer as createHttpsServer, type Server } from 'node:https'
import { connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificates } from '../backends/certificates.js'
import { startHttp2Backend, type Http2Backend } from '../backends/http2.js'
import { openHttpStage, storedKey, type HttpStage } from '../backends/http-stage.js'
import { lacks, program, run } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'

const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-http2-'))
let stage: HttpStage
let secured: Http2Backend
let clear: Http2Backend
let narrow: Http2Backend
let old: Server
let oldConnections = 0
let nghttpd: ChildProcess | undefined

/** nghttpd takes a number and says nothing of the one it got, so one that was free a moment ago is tried. */
async function startNghttpd(): Promise<number> {
  const free = createHttpsServer()
  await new Promise<void>((done) => free.listen(0, '127.0.0.1', done))
  const { port } = free.address() as AddressInfo
  await new Promise((done) => free.close(done))
  writeFileSync(join(directory, 'page.txt'), 'served by nghttpd\n')
  writeFileSync(join(directory, 'long.bin'), Buffer.alloc(5_000_000, 'y'))
  const args = ['-a', '127.0.0.1', '-d', directory, '--trailer', 'x-last: 1', String(port)]
  nghttpd = spawn(program('nghttpd'), [...args, join(directory, 'server.key'), join(directory, 'server.crt')], { stdio: 'ignore' })
  await waitFor(
    () =>
      new Promise<true | undefined>((done) => {
        const socket = connect(port, '127.0.0.1', () => done(true))
        socket.on('error', () => done(undefined)).on('connect', () => socket.destroy())
      }),
    10_000,
    () => 'nghttpd to listen',
  )
  return port
}

beforeAll(async () => {
  await makeCertificates(directory, directory)
  const tls = { cert: readFileSync(join(directory, 'server.crt')), key: readFileSync(join(directory, 'server.key')) }
  secured = await startHttp2Backend({ tls })
  clear = await startHttp2Backend()
  narrow = await startHttp2Backend({ maxConcurrentStreams: 4 })
  old = createHttpsServer(tls, (request, response) => {
    request.resume()
    request.on('end', () => response.end(JSON.stringify({ version: request.httpVersion, trailers: request.trailers })))
  })
  old.on('secureConnection', () => (oldConnections += 1))
  await new Promise<void>((done) => old.listen(0, '127.0.0.1', done))
  const nghttpdPort = lacks('nghttpd') ? 1 : await startNghttpd()
  const target = (name: string, address: string, more = ''): string =>
    `  - { name: ${name}, protocol: http, address: "${address}", tlsAuthorities: "${directory}/authority.crt", credential: { header: { name: X-Api-Key, value: { env: CRM_KEY } } }${more} }\n`
  stage = await openHttpStage({
    targets: () =>
      [
        target('secured', `https://localhost:${secured.port}`),
        target('old', `https://localhost:${(old.address() as AddressInfo).port}`),
        target('oldonly', `https://localhost:${(old.address() as AddressInfo).port}`, ', http2: always'),
        target('never', `https://localhost:${secured.port}`, ', http2: never'),
        target('clear', `http://127.0.0.1:${clear.port}`, ', http2: always'),
        target('narrow', `http://127.0.0.1:${narrow.port}`, ', http2: always'),
        target('nghttpd', `https://localhost:${nghttpdPort}`),
      ].join(''),
    rules: `
  - { name: no-secret, what: { paths: ["/secret*"] }, then: deny }
  - { name: mails, what: { paths: ["/people*"], fields: ["*.email"] }, then: mask }
`,
  })
})

afterAll(async () => {
  await stage.close()
  nghttpd?.kill()
  await Promise.all([secured.close(), clear.close(), narrow.close()])
  old.closeAllConnections()
  old.close()
  rmSync(directory, { recursive: true })
})

interface Echo {
  readonly version: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly size: number
  readonly trailers: Readonly<Record<string, string>>
}

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${stage.port}${path}`, { ...init, headers: { authorization: `Bearer ${stage.token}` } })
const echoed = async (path: string, init: RequestInit = {}): Promise<Echo> => (await (await ask(path, init)).json()) as Echo

describe('which HTTP', () => {
  it('is HTTP/2 where TLS agrees on it, on one connection', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => echoed(`/secured/n/${n}`)))
    expect(answers.every(({ version, url }, n) => version === '2.0' && url === `/n/${n}`)).toBe(true)
    expect(answers[0]?.headers).toMatchObject({ 'x-api-key': storedKey, ':authority': `localhost:${secured.port}` })
    expect(answers[0]?.headers['authorization']).toBeUndefined()
    expect(secured.connections()).toBe(1)
  })

  it('is HTTP/1.1 where the target agrees on no other, and the asking costs no connection', async () => {
    expect((await echoed('/old/x')).version).toBe('1.1')
    expect(oldConnections).toBe(1)
    expect((await ask('/oldonly/x')).status).toBe(502)
    expect((await ask('/never/x')).status).toBe(502)
  })

  it('is HTTP/2 in clear where the target is known to speak it', async () => {
    expect(await echoed('/clear/x?a=1', { method: 'POST', body: 'abc' })).toMatchObject({
      version: '2.0',
      url: '/x?a=1',
      body: 'abc',
    })
    expect((await ask('/clear/secret')).status).toBe(403)
    expect(clear.asked.some((asked) => asked.includes('secret'))).toBe(false)
  })
})

describe('connections', () => {
  it('take what the target allows, and more requests wait or get another', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask('/narrow/slow').then((answer) => answer.text())))
    expect(answers.every((text) => text === 'slow')).toBe(true)
    expect(narrow.connections()).toBeGreaterThan(1)
    expect(narrow.connections()).toBeLessThanOrEqual(8)
  })

  it('that the target closes are opened again', async () => {
    for (let n = 0; n < 5; n += 1) {
      expect((await echoed('/clear/again')).version).toBe('2.0')
      for (const session of clear.open) session.close()
    }
    for (const session of clear.open) session.destroy()
    expect((await echoed('/clear/again')).version).toBe('2.0')
  })

  it('a request that was refused unread goes once more, others do not', async () => {
    expect((await ask('/clear/refuse/1', { method: 'POST', body: 'abc' })).status).toBe(200)
    expect(clear.asked.filter((asked) => asked === 'POST /refuse/1').length).toBe(2)
    expect((await ask('/clear/reset', { method: 'POST', body: 'abc' })).status).toBe(502)
    expect(clear.asked.filter((asked) => asked === 'POST /reset').length).toBe(1)
    expect((await ask('/clear/x')).status).toBe(200)
  })
})

it('a request that cannot be sent is refused, and costs no place', async () => {
  const before = narrow.connections()
  for (let n = 0; n < 20; n += 1) {
    const twice = ['-H', 'Referer: http://a.test/', '-H', 'Referer: http://b.test/']
    expect((await stage.curl(...twice, `http://127.0.0.1:${stage.port}/narrow/x`)).stdout).toMatch(/^HTTP\/1.1 400/)
  }
  expect((await echoed('/narrow/x')).version).toBe('2.0')
  expect(narrow.connections() - before).toBeLessThanOrEqual(1)
})

describe('what is cut short', () => {
  it.each(['/clear/half', '/clear/destroyed'])('an answer is not taken for a whole one: %s', async (path) => {
    const half = async (): Promise<string> => {
      const answer = await ask(path)
      return await answer.text().catch((error: unknown) => (error instanceof Error ? error.message : 'failed'))
    }
    expect(await Promise.all(Array.from({ length: 8 }, half))).toEqual(Array.from({ length: 8 }, () => 'terminated'))
    const session = connectHttp2(`http://127.0.0.1:${stage.port}`)
    const stream = session.request({ ':path': path, authorization: `Bearer ${stage.token}` })
    let ended = false
    stream.on('end', () => (ended = true)).resume()
    const code = await new Promise((done) => stream.on('error', () => done(stream.rstCode)).on('close', () => done(stream.rstCode)))
    session.close()
    expect([ended, code]).toEqual([false, constants.NGHTTP2_INTERNAL_ERROR])
  })

  it('an upload is not taken for a whole one', async () => {
    const begun = async (path: string): Promise<unknown> =>
      waitFor(
        () => Promise.resolve(clear.asked.includes(`POST ${path}`) || undefined),
        5_000,
        () => `${path} to begin`,
      )
    const socket = connect(stage.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(
      `POST /clear/cut/1 HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${stage.token}\r\n` +
        `Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n${'x'.repeat(1_500_000)}`,
    )
    await begun('/cut/1')
    socket.destroy()
    const session = connectHttp2(`http://127.0.0.1:${stage.port}`)
    session.on('error', () => {})
    for (const [path, code] of [
      ['/cut/2', constants.NGHTTP2_NO_ERROR],
      ['/cut/3', constants.NGHTTP2_CANCEL],
    ] as const) {
      const stream = session.request({ ':path': `/clear${path}`, ':method': 'POST', authorization: `Bearer ${stage.token}` })
      stream.on('error', () => {})
      stream.write(Buffer.alloc(1_500_000, 'x'))
      await begun(path)
      stream.destroy(code === constants.NGHTTP2_NO_ERROR ? undefined : new Error('cut'))
    }
    // What comes after them on the same connections is as whole as ever.
    expect((await echoed('/clear/after', { method: 'POST', body: 'abc' })).body).toBe('abc')
    await new Promise((done) => setTimeout(done, 200))
    session.destroy()
    expect(clear.whole.filter((path) => path.startsWith('/cut') || path === '/after')).toEqual(['/after'])
  })

  it('a slow caller holds the target up', async () => {
    const session = connectHttp2(`http://127.0.0.1:${stage.port}`)
    const stream = session.request({ ':path': '/clear/long', authorization: `Bearer ${stage.token}` })
    stream.on('error', () => {})
    await new Promise((done) => stream.once('response', done))
    let sent = -1
    for (let now = 0; now > sent; now = clear.sentBytes()) {
      sent = now
      await new Promise((done) => setTimeout(done, 500))
    }
    let received = 0
    stream.on('data', (chunk: Buffer) => (received += chunk.length))
    await new Promise((done) => stream.on('end', done))
    session.close()
    expect(received).toBe(64 * 1024 * 1024)
    expect(sent).toBeLessThan(16 * 1024 * 1024)
  })
})

describe('bodies and trailers', () => {
  it('uploads of any size stream, and an early answer is heard', async () => {
    const file = join(directory, 'upload')
    writeFileSync(file, Buffer.alloc(48 * 1024 * 1024, 'x'))
    const answer = await stage.curl('-T', file, `http://127.0.0.1:${stage.port}/clear/upload`)
    expect(answer.stdout).toContain(`"size":${48 * 1024 * 1024}`)
    expect((await stage.curl('-T', file, '-H', 'Expect:', `http://127.0.0.1:${stage.port}/clear/early`)).stdout).toMatch(/413 /)
    expect((await ask('/clear/x')).status).toBe(200)
  })

  it('a denied upload is never asked for: no 100 Continue', async () => {
    const file = join(directory, 'upload')
    for (const version of ['--http1.1', '--http2-prior-knowledge']) {
      const answer = await stage.curl(
        version,
        '-T',
        file,
        '-H',
        'Expect: 100-continue',
        `http://127.0.0.1:${stage.port}/clear/secret`,
      )
      expect(answer.stdout).toMatch(/^HTTP\/\S+ 403/)
      expect(answer.stdout).not.toContain(' 100')
    }
  })

  it('trailers of a request reach targets of either version, those that could change it do not', async () => {
    const raw = (target: string): Promise<string> =>
      new Promise((done, fail) => {
        const socket = connect(stage.port, '127.0.0.1')
        let said = ''
        socket.setEncoding('latin1').on('data', (chunk: string) => (said += chunk))
        socket.on('error', fail).on('close', () => done(said))
        socket.write(
          `POST /${target}/t HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer ${stage.token}\r\nTrailer: x-sum\r\nConnection: close\r\n` +
            'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-Api-Key: mine\r\nX-HTTP-Method-Override: DELETE\r\n\r\n',
        )
      })
    for (const target of ['clear', 'old']) expect(await raw(target)).toContain('"trailers":{"x-sum":"7"}')
  })

  it('trailers go both ways from end to end in HTTP/2', async () => {
    const session = connectHttp2(`http://127.0.0.1:${stage.port}`)
    const stream = session.request(
      { ':path': '/secured/t', ':method': 'POST', authorization: `Bearer ${stage.token}` },
      { waitForTrailers: true },
    )
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '7' }))
    stream.end('abc')
    let text = ''
    let late: unknown
    stream.on('trailers', (fields) => (late = fields['x-sum']))
    stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    await new Promise((done, fail) => stream.on('close', done).on('error', fail))
    session.close()
    expect([(JSON.parse(text) as Echo).trailers['x-sum'], late]).toEqual(['7', '42'])
    const sessions = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list', '--target', 'secured')
    const replay = (await stage.gateway.cli(['replay', sessions[0]?.id ?? '', '--instant'])).stdout
    expect(replay).toContain('request trailers: x-sum: 7')
    expect(replay).toContain('response trailers: x-sum: 42')
  })
})

describe.skipIf(lacks('nghttp', 'nghttpd'))('nghttp2', () => {
  const headers = (): readonly string[] => ['-H', `authorization: Bearer ${stage.token}`]

  it('nghttp asks nghttpd, in clear and over TLS', async () => {
    const clearly = await run(program('nghttp'), [...headers(), `http://127.0.0.1:${stage.port}/nghttpd/page.txt`])
    expect(clearly.stdout).toBe('served by nghttpd\n')
    const tls = await run(program('nghttp'), [...headers(), `https://127.0.0.1:${stage.port}/nghttpd/page.txt`])
    expect(tls.stdout).toContain('served by nghttpd\n')
    const verbose = await run(program('nghttp'), ['-nv', ...headers(), `http://127.0.0.1:${stage.port}/nghttpd/page.txt`])
    expect(verbose.stdout).toContain('x-last: 1')
  })

  it('nghttp has many streams at once, and curl takes a long answer', async () => {
    const urls = Array.from({ length: 40 }, (_, n) => `http://127.0.0.1:${stage.port}/nghttpd/page.txt?${n}`)
    const many = await run(program('nghttp'), [...headers(), ...urls])
    expect(many.stdout).toBe('served by nghttpd\n'.repeat(40))
    for (const version of ['--http1.1', '--http2', '--http2-prior-knowledge']) {
      const long = await run(program('curl'), ['-sS', version, ...headers(), `http://127.0.0.1:${stage.port}/nghttpd/long.bin`])
      expect([long.stderr, long.stdout.length]).toEqual(['', 5_000_000])
    }
  })

  it('what nghttpd does not have is its 404, and its upload limits are its own', async () => {
    const answer = await stage.curl('--http2-prior-knowledge', `http://127.0.0.1:${stage.port}/nghttpd/none`)
    expect(answer.stdout).toMatch(/^HTTP\/2 404/)
  })
})
