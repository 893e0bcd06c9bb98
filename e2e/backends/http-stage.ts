// The stage of the HTTP tests: a backend that plays, and a gateway in front of it with a rule of each kind.

import { gzipSync } from 'node:zlib'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { startGateway, type Gateway } from './gateway.js'
import { startBackend, type Backend } from './http.js'
import { program, run, type RunResult } from './programs.js'

export const storedKey = 'stored-key-planted-7731'
export const plantedMail = 'ada.planted-4417@example.test'
export const plantedCard = '4111 1111 1111 1111'

type AskInit = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> }

export interface HttpStage {
  readonly gateway: Gateway
  readonly backend: Backend
  readonly token: string
  /** `http://127.0.0.1:PORT/crm` */
  readonly url: string
  readonly port: number
  /** curl as the robot, quiet, with the answer's head printed. */
  curl(...args: readonly string[]): Promise<RunResult>
  /** The plain client of Node, as the robot. */
  ask(path: string, init?: AskInit): Promise<Response>
  close(): Promise<void>
}

const json = (response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value))
}

const people = { data: [{ id: 12, email: plantedMail, name: 'Ada' }], note: `write to ${plantedMail}, card ${plantedCard}` }

const waiting: (() => void)[] = []

/** What the backend answers, by path. */
function play(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const path = (request.url ?? '').split('?')[0] ?? ''
  if (path === '/people') return json(response, people, { etag: '"of-the-original"' })
  if (path === '/people.gz') {
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      .end(gzipSync(JSON.stringify(people)))
    return
  }
  if (path === '/people.csv') {
    response.writeHead(200, { 'content-type': 'text/csv' }).end(`id,email,note\r\n12,${plantedMail},"a, b"\r\n`)
    return
  }
  if (path === '/people.events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`event: row\ndata: ${JSON.stringify({ email: plantedMail })}\n\n`)
    response.end('data: [DONE]\n\n')
    return
  }
  if (path === '/people.bin') {
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(plantedMail)
    return
  }
  if (path === '/moved') {
    response
      .writeHead(302, {
        location: `http://${request.headers.host}/there?x=1`,
        'set-cookie': ['sid=abc; Path=/; HttpOnly', 'other=1; Domain=127.0.0.1'],
      })
      .end()
    return
  }
  if (path === '/trailers') {
    response.writeHead(200, { trailer: 'x-sum', 'content-type': 'text/plain' })
    response.write('body')
    response.addTrailers({ 'x-sum': '42' })
    response.end()
    return
  }
  if (path === '/range') {
    const [, from = '0', to = '9'] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? []
    response.writeHead(206, { 'content-range': `bytes ${from}-${to}/10` }).end('0123456789'.slice(Number(from), Number(to) + 1))
    return
  }
  if (path === '/slow.events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    waiting.push(() => response.end('data: released\n\n'))
    return
  }
  if (path === '/release') {
    for (const release of waiting.splice(0)) release()
    response.end()
    return
  }
  if (path === '/cut') {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half')
    setTimeout(() => response.destroy(), 50)
    return
  }
  json(response, {
    method: request.method,
    url: request.url,
    headers: request.headers,
    bytes: body.length,
    body: body.length < 10_000 ? body.toString() : undefined,
  })
}

const rules = `
  - { name: no-deleting, where: { targets: [crm] }, what: { methods: [DELETE], paths: ["/orders/*"] }, then: deny, reason: Orders are kept., hint: Cancel it instead. }
  - { name: no-admin, where: { targets: [crm] }, what: { paths: ["/admin*"] }, then: deny }
  - { name: refunds, where: { targets: [crm] }, what: { methods: [POST], paths: ["/refunds"] }, then: review, reviewers: { groups: [leads] }, within: 2m }
  - { name: no-salary, where: { targets: [crm] }, what: { paths: ["/api*"], fields: ["*salary"] }, then: deny }
  - { name: mails, where: { targets: [crm] }, what: { paths: ["/people*"], fields: ["*.email"] }, then: mask, with: partial }
  - { name: found, where: { targets: [crm] }, what: { paths: ["/people*"], detectors: [email, card] }, then: mask, with: redact }
  - { name: no-mutations, where: { targets: [crm] }, what: { paths: ["/api*"], operations: ["mutation.*"] }, then: deny }
`

export interface HttpStageOptions {
  readonly play?: typeof play
  readonly rules?: string
  readonly targets?: (url: string) => string
}

export async function openHttpStage(options: HttpStageOptions = {}): Promise<HttpStage> {
  const backend = await startBackend(options.play ?? play)
  const gateway = await startGateway(
    `identities:
  - { name: robot, kind: agent, groups: [agents] }
  - { name: stranger, kind: agent }
  - { name: lea, kind: person, groups: [leads] }
targets:
  - { name: crm, protocol: http, address: "${backend.url}", tls: "off", credential: { header: { name: X-Api-Key, value: { env: CRM_KEY } } }, patienceSeconds: 4 }
${options.targets?.(backend.url) ?? ''}
grants:
  - { groups: [agents], targets: ["*"] }
rules: ${options.rules ?? rules}
`,
    { env: { CRM_KEY: storedKey } },
  )
  const token = await gateway.token('robot')
  const url = `http://127.0.0.1:${gateway.httpPort}/crm`
  return {
    gateway,
    backend,
    token,
    url,
    port: gateway.httpPort,
    curl: (...args) => run(program('curl'), ['-sS', '-i', '-m', '20', '-H', `Authorization: Bearer ${token}`, ...args]),
    ask: (path, init = {}) =>
      fetch(url + path, { redirect: 'manual', ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } }),
    close: async () => {
      await gateway.remove()
      await backend.close()
    },
  }
}
