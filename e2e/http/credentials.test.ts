// Every kind of stored credential, put in at the last moment, as the target sees it.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openHttpStage, type HttpStage } from '../backends/http-stage.js'
import { program, runChecked } from '../backends/programs.js'

let stage: HttpStage
const grants: string[] = []
let lives = 3600

const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-http-'))
const pem = (name: string): string => join(directory, name)
let secured: Server

/** Certificates that vouch for themselves: one of the server, one that its clients show. */
async function startSecured(): Promise<number> {
  for (const name of ['server', 'client']) {
    await runChecked(program('openssl'), [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      pem(`${name}.key`),
      '-out',
      pem(`${name}.crt`),
    ])
  }
  const [key, cert, ca] = ['server.key', 'server.crt', 'client.crt'].map((name) => readFileSync(pem(name)))
  secured = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    response.end(JSON.stringify({ authorized: (request.socket as TLSSocket).authorized }))
  })
  await new Promise<void>((done) => secured.listen(0, '127.0.0.1', done))
  return (secured.address() as AddressInfo).port
}

beforeAll(async () => {
  const port = await startSecured()
  const secretFile = pem('secret')
  writeFileSync(secretFile, 'planted-secret\n', { mode: 0o600 })
  stage = await openHttpStage({
    play: (request, response, body) => {
      if (request.url === '/token') {
        grants.push(`${request.headers.authorization ?? ''} ${body.toString()}`)
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ access_token: `made-${grants.length}`, token_type: 'Bearer', expires_in: lives }))
        return
      }
      if (request.url === '/expired') return void response.writeHead(401).end()
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(request.headers))
    },
    rules: '[]',
    targets: (url) => {
      const file = `{ file: ${JSON.stringify(secretFile)} }`
      const target = (name: string, address: string, credential: string, tls = '"off"'): string =>
        `  - { name: ${name}, protocol: http, address: "${address}", tls: ${tls}, credential: ${credential} }\n`
      return [
        target('basic', url, `{ username: app, password: ${file} }`),
        target('bearer', url, `{ bearer: ${file} }`),
        target(
          'oauth',
          url,
          `{ oauth2: { tokenUrl: "${url}/token", clientId: "the client", clientSecret: ${file}, scope: read } }`,
        ),
        target(
          'aws',
          url,
          `{ aws: { accessKeyId: AKIAIOSFODNN7EXAMPLE, secretAccessKey: ${file}, region: eu-central-1, service: execute-api } }`,
        ),
        target(
          'mutual',
          `https://localhost:${port}`,
          `{ certificate: { file: ${pem('client.crt')} }, privateKey: { file: ${pem('client.key')} } }`,
          `require`,
        ),
        target('strict', `https://localhost:${port}`, `{ bearer: ${file} }`, 'verify'),
      ].join('')
    },
  })
})

afterAll(async () => {
  await stage.close()
  secured.closeAllConnections()
  secured.close()
  rmSync(directory, { recursive: true })
})

const ask = async (target: string, init: RequestInit = {}, path = '/x'): Promise<Record<string, string>> => {
  const answer = await fetch(`http://127.0.0.1:${stage.port}/${target}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${stage.token}` },
  })
  const text = await answer.text()
  return text === '' ? {} : (JSON.parse(text) as Record<string, string>)
}

it('basic and bearer', async () => {
  expect((await ask('basic'))['authorization']).toBe(`Basic ${Buffer.from('app:planted-secret').toString('base64')}`)
  expect((await ask('bearer'))['authorization']).toBe('Bearer planted-secret')
})

it('OAuth2 client credentials: fetched once, again when the target says 401 or the token ends', async () => {
  expect((await Promise.all([ask('oauth'), ask('oauth'), ask('oauth')])).map((headers) => headers['authorization'])).toEqual([
    'Bearer made-1',
    'Bearer made-1',
    'Bearer made-1',
  ])
  expect(grants).toEqual([
    `Basic ${Buffer.from('the%20client:planted-secret').toString('base64')} grant_type=client_credentials&scope=read`,
  ])
  await ask('oauth', {}, '/expired')
  lives = 1
  expect((await ask('oauth'))['authorization']).toBe('Bearer made-2')
  await new Promise((done) => setTimeout(done, 700))
  expect((await ask('oauth'))['authorization']).toBe('Bearer made-3')
})

it('AWS signature version 4, of the body too', async () => {
  const one = await ask('aws', { method: 'POST', body: 'one' })
  expect(one['authorization']).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/\d{8}\/eu-central-1\/execute-api\/aws4_request, SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, Signature=[0-9a-f]{64}$/,
  )
  expect(one['x-amz-content-sha256']).toBe('7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed')
})

it('mutual TLS', async () => {
  expect(await ask('mutual')).toMatchObject({ authorized: true })
})

it('a certificate that cannot be verified is refused, and says nothing of the target', async () => {
  const answer = await ask('strict')
  expect(answer).toMatchObject({ status: 502 })
  expect(JSON.stringify(answer)).not.toMatch(/planted|localhost:/)
})
