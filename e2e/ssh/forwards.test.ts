// Forwarded ports: what leads to a target of ours is that target's own session, judged and masked; all else goes where a rule allows it.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startGateway, type Gateway } from '../backends/gateway.js'
import { backendPassword, databaseName, freePort, makeDatabase, users } from '../backends/postgres.js'
import { lacks, program, run } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { server } from '../backends/shop.js'
import { makeKey, startSshd, type SshServer } from '../backends/sshd.js'

describe.skipIf(lacks('ssh', 'sshd', 'ssh-keygen'))('forwards', () => {
  let directory: string
  let sshd: SshServer
  let gateway: Gateway
  let postgresPort: number
  let barredPort: number
  let web: { readonly port: number; close(): void }

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-forwards-'))
    sshd = await startSshd()
    const facts = server()
    postgresPort = facts.port
    barredPort = await freePort()
    const database = databaseName('forwards')
    await makeDatabase(
      facts,
      database,
      "create table customers (id int, email text); insert into customers values (1, 'planted@example.test'); grant all on customers to public",
    )
    const listening = createHttpServer((_request, response) => response.end('behind'))
    const port = await freePort()
    await new Promise<void>((done) => listening.listen(port, '127.0.0.1', done))
    web = { port, close: () => listening.close() }
    const host = (name: string): string =>
      `  - { name: ${name}, protocol: ssh, address: "127.0.0.1:${sshd.port}", hostKey: "${sshd.hostKey}", credential: { username: ${sshd.username}, privateKey: { file: ${sshd.keyFile} } } }\n`
    const base = (name: string, address: string): string =>
      `  - { name: ${name}, protocol: postgres, address: "${address}", database: ${database}, tls: "off", credential: { username: ${users.scram}, password: { env: BACKEND_PASSWORD } } }\n`
    gateway = await startGateway(
      `identities:
  - { name: robot, kind: agent, groups: [agents], sshKeys: ["${await makeKey(join(directory, 'key'))}"] }
  - { name: other, kind: agent, groups: [agents] }
targets:
${host('web')}${host('open')}${base('shop', `127.0.0.1:${postgresPort}`)}${base('elsewhere', 'elsewhere.invalid:5432')}${base('barred', `localhost:${barredPort}`)}grants:
  - { groups: [agents], targets: [web, open, shop, elsewhere] }
rules:
  - { name: tunnels, where: { targets: [open] }, what: { kinds: [tunnel], objects: ["127.0.0.1:*", "localhost:*", "${directory}/*"] }, then: allow }
  - { name: no-drops, what: { verbs: [drop] }, then: deny, reason: No drops. }
  - { name: email, what: { columns: ["*.customers.email"] }, then: mask }
`,
      { env: { BACKEND_PASSWORD: backendPassword } },
    )
    writeFileSync(
      join(directory, 'config'),
      `Host *
  Port ${gateway.sshPort}
  IdentityFile ${directory}/key
  IdentitiesOnly yes
  IdentityAgent none
  StrictHostKeyChecking no
  UserKnownHostsFile ${directory}/known_hosts
  LogLevel ERROR
  ExitOnForwardFailure yes
`,
    )
  })
  afterAll(async () => {
    await gateway.remove()
    await sshd.stop()
    web.close()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })

  /** `ssh -N ARGS TARGET@gateway` until the test is over; resolves once the local end listens. */
  const forward = async (target: string, args: readonly string[], local: number | string): Promise<void> => {
    const child = spawn(program('ssh'), ['-F', join(directory, 'config'), '-N', ...args, `${target}@127.0.0.1`], {
      stdio: 'ignore',
    })
    onTestFinished(() => void child.kill())
    await waitFor(
      () =>
        new Promise<true | undefined>((resolve) => {
          const socket = typeof local === 'string' ? connect(local) : connect(local, '127.0.0.1')
          socket.once('connect', () => resolve(true)).once('error', () => resolve(undefined))
          socket.once('connect', () => socket.destroy())
        }),
      10_000,
      () => 'the forward to listen',
    )
  }
  const toPort = async (target: string, far: string): Promise<number> => {
    const local = await freePort()
    await forward(target, ['-L', `127.0.0.1:${local}:${far}`], local)
    return local
  }
  const logIn = async (port: number, identity: string, target: string, ssl: object | false = false): Promise<Client> => {
    const password = await gateway.token(identity)
    const client = new Client({ host: '127.0.0.1', port, user: identity, password, database: target, ssl })
    client.on('error', () => {})
    onTestFinished(() => client.end().catch(() => {}))
    await client.connect()
    return client
  }
  const refusal = (attempt: Promise<unknown>): Promise<string> =>
    attempt.then(
      () => 'let in',
      (error: unknown) => String(error),
    )

  it.each(['address', 'name'])('a database by its %s is judged and masked as its own session', async (by) => {
    const port = await toPort('web', by === 'name' ? 'shop:5432' : `127.0.0.1:${postgresPort}`)
    const client = await logIn(port, 'robot', 'shop', by === 'name' ? { rejectUnauthorized: false } : false)
    expect((await client.query('select * from customers')).rows).toEqual([{ id: 1, email: '[redacted]' }])
    expect(await refusal(client.query('drop table customers'))).toContain('no-drops')
    const live = await gateway.json<readonly { id: string; protocol: string; target: string; identity: string }[]>(
      'sessions',
      'list',
      '--live',
    )
    expect(live).toContainEqual(expect.objectContaining({ protocol: 'postgres', target: 'shop', identity: 'robot' }))
    const outer = live.find(({ protocol }) => protocol === 'ssh')?.id ?? ''
    const shown = await gateway.json<{ statementList: readonly { kind: string; text: string }[] }>('sessions', 'show', outer)
    expect(shown.statementList).toContainEqual(
      expect.objectContaining({ kind: 'tunnel', text: expect.stringContaining('which is target shop') }),
    )
    // The connection around it is over, and so is what is in it.
    const ended = new Promise((done) => client.once('end', done))
    expect((await gateway.cli(['sessions', 'end', outer])).code).toBe(0)
    await ended
  })

  it('nobody else logs in through it, and nowhere else', async () => {
    const port = await toPort('web', `127.0.0.1:${postgresPort}`)
    expect(await refusal(logIn(port, 'other', 'shop'))).toContain('this way leads to target shop as robot')
    expect(await refusal(logIn(port, 'robot', 'elsewhere'))).toContain('this way leads to target shop as robot')
    await logIn(port, 'robot', 'shop')
  })

  it('a target without a grant is not reached, whatever rules allow tunnels', async () => {
    const standing = createServer((socket) => socket.end('reached'))
    await new Promise<void>((done) => standing.listen(barredPort, '127.0.0.1', done))
    onTestFinished(() => void standing.close())
    const port = await toPort('open', `localhost:${barredPort}`)
    const said = await new Promise<string>((resolve) => {
      let all = ''
      const socket = connect(port, '127.0.0.1')
      socket.on('data', (bytes: Buffer) => (all += bytes.toString()))
      socket.on('close', () => resolve(all)).on('error', () => {})
    })
    expect(said).toBe('')
  })

  it.skipIf(lacks('curl'))('-D goes where rules allow, and ends at targets', async () => {
    for (const [target, expected] of [
      ['open', 'behind'],
      ['web', ''],
    ] as const) {
      const socks = await freePort()
      await forward(target, ['-D', `127.0.0.1:${socks}`], socks)
      const curl = ['-s', '--max-time', '10', '--socks5-hostname', `127.0.0.1:${socks}`, `http://localhost:${web.port}/`]
      expect((await run(program('curl'), curl)).stdout).toBe(expected)
    }
  })

  it('what the far end sent before it hung up reaches a slow reader, whole, and is counted', async () => {
    const whole = randomBytes(24_000_000)
    const standing = createServer((socket) => socket.on('error', () => {}).end(whole))
    const far = await freePort()
    await new Promise<void>((done) => standing.listen(far, '127.0.0.1', done))
    onTestFinished(() => void standing.close())
    const port = await toPort('open', `127.0.0.1:${far}`)
    const got = await new Promise<Buffer>((resolve) => {
      const chunks: Buffer[] = []
      const socket = connect(port, '127.0.0.1')
      socket.on('data', (bytes: Buffer) => {
        chunks.push(bytes)
        socket.pause()
        setTimeout(() => socket.resume(), 5)
      })
      socket.on('close', () => resolve(Buffer.concat(chunks))).on('error', () => {})
    })
    expect(got.equals(whole)).toBe(true)
    const id = (await gateway.json<readonly { id: string; target: string }[]>('sessions', 'list', '--live')).find(
      ({ target }) => target === 'open',
    )?.id
    const counted = await waitFor(
      async () =>
        (
          await gateway.json<{ statementList: readonly { bytes: number | null }[] }>('sessions', 'show', id ?? '')
        ).statementList.find(({ bytes }) => bytes === whole.length),
      10_000,
      () => 'the outcome of the tunnel',
    )
    expect(counted).toMatchObject({ kind: 'tunnel', text: `forward to 127.0.0.1:${far}` })
  })

  it('sockets of Unix go where rules allow', async () => {
    const far = join(directory, 'far.sock')
    const standing = createServer((socket) => socket.end('by socket'))
    await new Promise<void>((done) => standing.listen(far, done))
    onTestFinished(() => void standing.close())
    for (const [target, expected] of [
      ['open', 'by socket'],
      ['web', ''],
    ] as const) {
      const near = join(directory, `${target}.sock`)
      await forward(target, ['-L', `${near}:${far}`], near)
      const said = await new Promise<string>((resolve) => {
        let all = ''
        const socket = connect(near)
        socket.on('data', (bytes: Buffer) => (all += bytes.toString()))
        socket.on('close', () => resolve(all)).on('error', () => {})
      })
      expect(said, target).toBe(expected)
    }
  })
})
