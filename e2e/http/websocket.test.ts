// WebSockets through the gateway, with ws on both ends: whole messages of both kinds, subprotocols, judged text, and what is not taken.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHttpStage, plantedMail, storedKey, type HttpStage } from '../backends/http-stage.js'

let stage: HttpStage
let server: Server
const heard: string[] = []
const offered: string[] = []

beforeAll(async () => {
  server = createServer((_request, response) => response.writeHead(200).end('plain'))
  const sockets = new WebSocketServer({ server, path: '/live', handleProtocols: (named) => (named.has('v2') ? 'v2' : false) })
  sockets.on('connection', (socket, request) => {
    offered.push(String(request.headers['sec-websocket-protocol']))
    if (request.url?.includes('quiet') !== true)
      socket.send(`hello ${String(request.headers['x-api-key'])} ${String(request.headers.authorization)}`)
    socket.on('message', (data, binary) => {
      heard.push((data as Buffer).toString())
      if ((data as Buffer).toString() === '{"tell":1}') {
        const item = { item_id: 'm', output_index: 0, content_index: 0 }
        for (const delta of ['mail is ada.pl', 'anted-4417@example', '.test. Bye'])
          socket.send(JSON.stringify({ type: 'response.text.delta', ...item, delta }))
        socket.send(JSON.stringify({ type: 'response.text.done', ...item, text: `mail is ${plantedMail}. Bye` }))
        return
      }
      if ((data as Buffer).toString() === '{"leave":1}') {
        socket.send(JSON.stringify({ type: 'response.text.delta', item_id: 'm', delta: `to ${plantedMail}` }))
        socket.close(1000)
        return
      }
      socket.send(data as Buffer, { binary })
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  stage = await openHttpStage({
    targets: () =>
      ['live', 'covered']
        .map(
          (name) =>
            `  - { name: ${name}, protocol: http, address: "${url}", tls: "off", credential: { header: { name: X-Api-Key, value: { env: CRM_KEY } } } }\n`,
        )
        .join(''),
    rules: `
  - { name: no-orders, what: { paths: ["/live"], fields: [order] }, then: deny, reason: Not here. }
  - { name: closed, what: { paths: ["/closed"] }, then: deny }
  - { name: mails, where: { targets: [covered] }, what: { fields: ["*.email", "email"], detectors: [email] }, then: mask, with: partial }
`,
  })
})

afterAll(async () => {
  await stage.close()
  server.closeAllConnections()
  server.close()
})

interface Opened {
  readonly socket: WebSocket
  readonly next: () => Promise<string>
  readonly closed: Promise<number>
}

function open(path: string, protocols: readonly string[] = [], token = stage.token): Promise<Opened> {
  const socket = new WebSocket(`ws://127.0.0.1:${stage.port}${path}`, [...protocols], {
    headers: { authorization: `Bearer ${token}` },
  })
  const messages: string[] = []
  const waiting: ((text: string) => void)[] = []
  socket.on('message', (data) => {
    const text = (data as Buffer).toString()
    const first = waiting.shift()
    if (first === undefined) messages.push(text)
    else first(text)
  })
  const closed = new Promise<number>((done) => socket.once('close', done))
  const next = (): Promise<string> => {
    const first = messages.shift()
    return first === undefined ? new Promise((done) => waiting.push(done)) : Promise.resolve(first)
  }
  return new Promise((done, fail) => {
    socket.once('open', () => done({ socket, next, closed }))
    socket.once('error', fail)
  })
}

describe('a WebSocket', () => {
  it("is relayed both ways, with the stored credential and the target's choice of subprotocol", async () => {
    const { socket, next, closed } = await open('/live/live', ['v1', 'v2'])
    expect(socket.protocol).toBe('v2')
    expect(await next()).toBe(`hello ${storedKey} undefined`)
    socket.send('{"a":1}')
    expect(await next()).toBe('{"a":1}')
    const long = 'x'.repeat(3_000_000)
    socket.send(JSON.stringify({ long }))
    expect((await next()).length).toBe(long.length + 11)
    for (let n = 0; n < 200; n += 1) socket.send(JSON.stringify({ n }))
    for (let n = 0; n < 200; n += 1) expect(await next()).toBe(JSON.stringify({ n }))
    socket.close(1000)
    expect(await closed).toBe(1000)
  })

  it('keeps the token to itself where it stands among the subprotocols, and off the record', async () => {
    const { socket, closed } = await open('/live/live', ['v2', stage.token])
    socket.close(1000)
    await closed
    expect(offered.at(-1)).toBe('v2')
    const sessions = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list', '--target', 'live')
    const har = (await stage.gateway.cli(['replay', sessions[0]?.id ?? '', '--format', 'har'])).stdout
    expect(har).toContain('sec-websocket-protocol')
    expect(har).not.toContain(stage.token)
  })

  it('is closed by a message that a rule denies, which never arrives', async () => {
    const { socket, closed } = await open('/live/live', ['v2'])
    socket.send('{"order":12}')
    expect(await closed).toBe(1008)
    expect(heard.some((text) => text.includes('order'))).toBe(false)
    const sessions = await stage.gateway.json<readonly { id: string; target: string }[]>('sessions', 'list', '--target', 'live')
    const text = (await stage.gateway.cli(['replay', sessions[0]?.id ?? '', '--instant'])).stdout
    expect(text).toContain('denied by rule no-orders: Not here.')
  })

  it('is refused like any other request', async () => {
    await expect(open('/live/closed')).rejects.toThrow(/403/)
    await expect(open('/live/live', [], 'sp_wrong')).rejects.toThrow(/401/)
    await expect(open('/live/nowhere')).rejects.toThrow(/502/)
  })
})

describe('a WebSocket under a mask', () => {
  it('shows JSON with its values covered, also where they are told in pieces', async () => {
    const { socket, next, closed } = await open('/covered/live?quiet')
    socket.send(JSON.stringify({ email: plantedMail, note: `write to ${plantedMail}`, n: 1 }))
    expect(JSON.parse(await next())).toEqual({ email: 'a***@example.test', note: 'write to a***@example.test', n: 1 })
    socket.send('{"tell":1}')
    const told = []
    for (let done = false; !done;) {
      const event = JSON.parse(await next()) as { type: string; delta?: string; text?: string }
      told.push(event.delta ?? '')
      done = event.type.endsWith('.done')
      if (done) expect(event.text).toBe('mail is a***@example.test. Bye')
    }
    expect(told.join('')).toBe('mail is a***@example.test. Bye')
    socket.close(1000)
    expect(await closed).toBe(1000)
    const sessions = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list', '--target', 'covered')
    const har = (await stage.gateway.cli(['replay', sessions[0]?.id ?? '', '--format', 'har'])).stdout
    expect(har).toContain('a***@example.test')
  })

  it('shows what was held back when the other end leaves in the middle', async () => {
    const { socket, next, closed } = await open('/covered/live?quiet')
    socket.send('{"leave":1}')
    const told = [await next(), await next()].map((text) => (JSON.parse(text) as { delta: string }).delta)
    expect([told.join(''), await closed]).toEqual(['to a***@example.test', 1000])
  })

  it('is closed by what cannot be masked, which is not shown', async () => {
    const text = await open('/covered/live')
    expect(await text.closed).toBe(1008)
    const { socket, closed } = await open('/covered/live?quiet')
    let shown = 0
    socket.on('message', () => (shown += 1))
    socket.send(Buffer.from(plantedMail), { binary: true })
    expect([await closed, shown]).toEqual([1008, 0])
  })
})
