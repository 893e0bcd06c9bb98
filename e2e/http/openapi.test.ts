// An API behind its OpenAPI file: rules by operation, and requests that break the description refused before they arrive.

import { writeFileSync } from 'node:fs'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHttpStage, type HttpStage } from '../backends/http-stage.js'

const description = `
openapi: 3.0.3
info: { title: Orders, version: "1" }
paths:
  /orders/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: integer, minimum: 1 } }
    get:
      operationId: getOrder
      parameters:
        - { name: expand, in: query, schema: { type: string, enum: [lines] } }
      responses: { "200": { description: ok } }
    delete: { operationId: deleteOrder, responses: { "200": { description: ok } } }
  /orders:
    post:
      operationId: createOrder
      parameters: [{ $ref: "#/components/parameters/Tenant" }]
      requestBody:
        required: true
        content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } }
      responses: { "200": { description: ok } }
components:
  parameters:
    Tenant: { name: X-Tenant, in: header, required: true, schema: { type: string, pattern: "^[a-z]+$" } }
  schemas:
    Order:
      type: object
      required: [item]
      additionalProperties: false
      properties:
        item: { type: string, maxLength: 20 }
        amount: { type: number, minimum: 0, exclusiveMinimum: true, nullable: true }
`

const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-openapi-'))
const file = join(directory, 'orders.yaml')
let stage: HttpStage

beforeAll(async () => {
  writeFileSync(file, description)
  stage = await openHttpStage({
    targets: (url) => `
  - { name: held, protocol: http, address: "${url}", tls: "off", openapi: { file: "${file}", check: true } }
  - { name: named, protocol: http, address: "${url}", tls: "off", openapi: "${file}" }
`,
    rules: `[{ name: orders-are-kept, what: { operations: [deleteOrder] }, then: deny, reason: Orders are kept. }]`,
  })
})

afterAll(async () => {
  await stage.close()
  rmSync(directory, { recursive: true })
})

const ask = async (path: string, init: RequestInit = {}): Promise<{ readonly status: number; readonly said: string }> => {
  const headers = { authorization: `Bearer ${stage.token}`, ...(init.headers as Record<string, string> | undefined) }
  const answer = await fetch(`http://127.0.0.1:${stage.port}${path}`, { ...init, headers })
  return { status: answer.status, said: await answer.text() }
}
const create = (body: unknown, headers: Record<string, string> = { 'x-tenant': 'acme' }): ReturnType<typeof ask> =>
  ask('/held/orders', { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } })

describe('a target that asks for it', () => {
  it('gets what keeps to its description', async () => {
    expect((await ask('/held/orders/5?expand=lines')).status).toBe(200)
    expect((await create({ item: 'pen', amount: 1.5 })).status).toBe(200)
    expect((await create({ item: 'pen', amount: null })).status).toBe(200)
  })

  it('gets nothing else, and the caller hears why', async () => {
    const before = stage.backend.asked.length
    const broken = [
      [await ask('/held/orders/0'), 'path.id must be >= 1'],
      [await ask('/held/orders/five'), 'path.id must be integer'],
      [await ask('/held/orders/5?expand=all'), 'query.expand must be equal to one of the allowed values'],
      [await ask('/held/orders/5?debug=1'), 'knows no query parameter debug'],
      [await ask('/held/internal'), 'knows no GET /internal'],
      [await ask('/held/orders/5', { method: 'PUT' }), 'knows no PUT /orders/5'],
      [await create({ item: 'pen', amount: 0 }), 'body.amount must be > 0'],
      [await create({ item: 'pen', admin: true }), 'body must NOT have additional properties (admin)'],
      [await create({ item: 'pen' }, {}), "header must have required property 'x-tenant'"],
      [await create({ item: 'pen' }, { 'x-tenant': 'A' }), 'header.x-tenant must match pattern'],
      [await create({ item: 'x'.repeat(2_000_000) }), 'longer than is looked into'],
    ] as const
    for (const [{ status, said }, reason] of broken) {
      expect([status, said]).toEqual([403, expect.stringContaining(reason)])
      expect(said).toContain("Send it as the target's OpenAPI description says.")
    }
    expect(stage.backend.asked.length).toBe(before)
    const [session] = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list', '--target', 'held')
    expect((await stage.gateway.cli(['replay', session?.id ?? '', '--instant'])).stdout).toContain('denied: it breaks')
  })

  it('has its rules judged as well', async () => {
    for (const target of ['held', 'named'])
      expect((await ask(`/${target}/orders/5`, { method: 'DELETE' })).said).toContain(
        'denied by rule orders-are-kept: Orders are kept.',
      )
  })
})

it('a target that only names its operations gets everything', async () => {
  expect((await ask('/named/orders/0?debug=1')).status).toBe(200)
})

it('a description that cannot be checked is a fault of the configuration', async () => {
  const configuration = join(directory, 'sallyport.yaml')
  const faulty = join(directory, 'faulty.yaml')
  writeFileSync(
    configuration,
    `targets: [{ name: held, protocol: http, address: "http://127.0.0.1:1", tls: "off", openapi: { file: faulty.yaml, check: true } }]\n`,
  )
  writeFileSync(faulty, description.replace('^[a-z]+$', '^(?=a)[a-z]+$'))
  const lookahead = await stage.gateway.cli(['check', '-c', configuration])
  expect([lookahead.code, lookahead.stderr + lookahead.stdout]).toEqual([
    1,
    expect.stringContaining('requests of createOrder cannot be checked'),
  ])
  writeFileSync(faulty, description.replace('openapi: 3.0.3', 'swagger: "2.0"'))
  expect((await stage.gateway.cli(['check', '-c', configuration])).code).toBe(1)
})

it('survives export and apply', async () => {
  const exported = join(directory, 'exported.yaml')
  writeFileSync(exported, (await stage.gateway.cli(['export-config'])).stdout)
  const applied = await stage.gateway.cli(['apply', '-f', exported])
  expect([applied.code, applied.stderr]).toEqual([0, expect.stringContaining('nothing to change')])
  expect((await ask('/held/orders/0')).status).toBe(403)
})
