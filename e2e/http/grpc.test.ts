// gRPC through the gateway with grpc-js on both ends: unary and both-way streams, status and trailers, and calls judged by their name.

import { credentials, makeGenericClientConstructor, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { Client, ClientDuplexStream, ServerDuplexStream, ServiceDefinition, ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openHttpStage, storedKey, type HttpStage } from '../backends/http-stage.js'

const text = { serialize: (value: string) => Buffer.from(value), deserialize: (bytes: Buffer) => bytes.toString() }
const method = (name: string, streams: boolean): ServiceDefinition[string] => ({
  path: `/shop.Orders/${name}`,
  requestStream: streams,
  responseStream: streams,
  requestSerialize: text.serialize,
  requestDeserialize: text.deserialize,
  responseSerialize: text.serialize,
  responseDeserialize: text.deserialize,
})
const service: ServiceDefinition = {
  find: method('Find', false),
  remove: method('Remove', false),
  fail: method('Fail', false),
  talk: method('Talk', true),
}

let stage: HttpStage
const server = new Server()
const removed: string[] = []

beforeAll(async () => {
  server.addService(service, {
    find: (call: { request: string; metadata: Metadata }, done: (error: null, value: string) => void) =>
      done(null, `${call.request} ${String(call.metadata.get('x-api-key')[0])}`),
    remove: (call: { request: string }, done: (error: null, value: string) => void) => {
      removed.push(call.request)
      done(null, 'removed')
    },
    fail: (_call: object, done: (error: Partial<ServiceError>) => void) =>
      done({ code: status.NOT_FOUND, details: 'no such order' }),
    talk: (call: ServerDuplexStream<string, string>) => {
      call.on('data', (word: string) => call.write(word.toUpperCase()))
      call.on('end', () => call.end())
    },
  })
  const port = await new Promise<number>((done, fail) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? done(bound) : fail(error),
    ),
  )
  stage = await openHttpStage({
    targets: () =>
      `  - { name: orders, protocol: http, address: "http://127.0.0.1:${port}", tls: "off", credential: { header: { name: X-Api-Key, value: { env: CRM_KEY } } } }\n`,
    rules: `[{ name: no-removing, what: { operations: ["*/Remove"] }, then: deny, reason: Orders are kept. }]`,
  })
})

afterAll(async () => {
  server.forceShutdown()
  await stage.close()
})

type Call = (request: string, metadata: Metadata, done: (error: ServiceError | null, value?: string) => void) => void
type Calls = Client &
  Readonly<Record<'find' | 'remove' | 'fail', Call>> & { talk(metadata: Metadata): ClientDuplexStream<string, string> }

function open(): Calls {
  const Orders = makeGenericClientConstructor(service, 'Orders')
  return new Orders(`127.0.0.1:${stage.port}`, credentials.createInsecure(), {
    'grpc.default_authority': 'orders.gateway.test',
  }) as unknown as Calls
}

const shown = (): Metadata => {
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${stage.token}`)
  return metadata
}

const call = (client: Calls, name: 'find' | 'remove' | 'fail', metadata = shown()): Promise<string> =>
  new Promise((done, fail) =>
    client[name]('order 12', metadata, (error, value) => (error === null ? done(value ?? '') : fail(error))),
  )

it('calls reach the target with the stored credential', async () => {
  const client = open()
  expect(await call(client, 'find')).toBe(`order 12 ${storedKey}`)
  await expect(call(client, 'fail')).rejects.toMatchObject({ code: status.NOT_FOUND, details: 'no such order' })
  client.close()
})

it('streams go both ways, word for word', async () => {
  const client = open()
  const talk = client.talk(shown())
  const words: string[] = []
  const over = new Promise<void>((done, fail) => talk.on('end', done).on('error', fail))
  const heard = (): Promise<string> => new Promise((done) => talk.once('data', done))
  for (const word of ['one', 'two', 'x'.repeat(300_000)]) {
    const next = heard()
    talk.write(word)
    words.push(await next)
  }
  talk.end()
  talk.resume()
  await over
  expect(words).toEqual(['ONE', 'TWO', 'X'.repeat(300_000)])
  client.close()
})

it('a denied call is PERMISSION_DENIED and never arrives', async () => {
  const client = open()
  await expect(call(client, 'remove')).rejects.toMatchObject({
    code: status.PERMISSION_DENIED,
    details: expect.stringContaining('denied by rule no-removing: Orders are kept.') as string,
  })
  await expect(call(client, 'find', new Metadata())).rejects.toMatchObject({ code: status.UNAUTHENTICATED })
  expect(removed).toEqual([])
  client.close()
})
