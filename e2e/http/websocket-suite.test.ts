// Autobahn's test suite for WebSocket against the gateway, where `wstest` is there (it needs Python 2.7: pip install autobahntestsuite==0.8.2).
// What the server itself gets wrong does not count: both are asked.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { openHttpStage } from '../backends/http-stage.js'
import { findProgram, runChecked } from '../backends/programs.js'

const wstest = findProgram('wstest')

async function listening(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

/** The suite cannot be told of a header, so the token is put into its handshakes on the way. */
function withToken(client: Socket, port: number, token: string): void {
  const gateway = connect(port, '127.0.0.1')
  for (const [from, to] of [
    [client, gateway],
    [gateway, client],
  ] as const) {
    from.setNoDelay().on('error', () => to.destroy())
    from.once('close', () => to.destroy())
  }
  client.once('data', (first: Buffer) => {
    const line = first.indexOf('\r\n') + 2
    gateway.write(Buffer.concat([first.subarray(0, line), Buffer.from(`Authorization: Bearer ${token}\r\n`), first.subarray(line)]))
    client.pipe(gateway)
    gateway.pipe(client)
  })
}

interface Found {
  readonly behavior: string
  readonly behaviorClose: string
}

it.skipIf(wstest === undefined)(
  "Autobahn's cases but for compression and endurance all pass",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-wstest-'))
    const echo = createHttpServer()
    new WebSocketServer({ server: echo, perMessageDeflate: false }).on('connection', (socket) => {
      socket.on('error', () => {})
      socket.on('message', (data, binary) => socket.send(data as Buffer, { binary }))
    })
    const direct = await listening(echo)
    const stage = await openHttpStage({
      targets: () => `  - { name: echo, protocol: http, address: "http://127.0.0.1:${direct}", tls: "off" }\n`,
      // With a rule there every message is judged; none of these is JSON, so a rule on fields would deny them all.
      rules: '[{ name: none, what: { paths: ["/never"] }, then: deny }]',
    })
    const shim = createServer((client) => withToken(client, stage.port, stage.token))
    const server = (agent: string, url: string): object => ({ agent, url, options: { version: 18 } })
    const servers = [
      server('gateway', `ws://127.0.0.1:${await listening(shim)}/echo/x`),
      server('direct', `ws://127.0.0.1:${direct}`),
    ]
    const spec = { outdir: directory, servers, cases: ['*'], 'exclude-cases': ['9.*', '12.*', '13.*'], 'exclude-agent-cases': {} }
    writeFileSync(join(directory, 'spec.json'), JSON.stringify(spec))
    try {
      await runChecked(wstest ?? '', ['-m', 'fuzzingclient', '-s', join(directory, 'spec.json')], { withinMs: 240_000 })
      const index = readFileSync(join(directory, 'index.json'), 'utf8')
      const found = JSON.parse(index) as Readonly<Record<string, Readonly<Record<string, Found>>>>
      const failed = (agent: string): readonly string[] =>
        Object.entries(found[agent] ?? {}).flatMap(([id, { behavior, behaviorClose }]) =>
          [behavior, behaviorClose].every((each) => /^(?:OK|NON-STRICT|INFORMATIONAL)$/.test(each)) ? [] : [id],
        )
      expect(Object.keys(found['gateway'] ?? {}).length).toBeGreaterThan(200)
      expect(failed('gateway').filter((id) => !failed('direct').includes(id))).toEqual([])
    } finally {
      shim.close()
      await stage.close()
      echo.closeAllConnections()
      echo.close()
      rmSync(directory, { recursive: true })
    }
  },
  300_000,
)
