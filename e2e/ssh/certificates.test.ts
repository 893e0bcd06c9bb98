// Certificates: of our own authority for users and for the gateway's host key, and of an authority that is not ours; with OpenSSH's own tools.

import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks, program, run, runChecked, type RunResult } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { makeKey } from '../backends/sshd.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

const settings = ['IdentitiesOnly=yes', 'IdentityAgent=none', 'BatchMode=yes', 'StrictHostKeyChecking=no', 'LogLevel=ERROR']

describe.skipIf(lacks('ssh', 'sshd', 'ssh-keygen'))('certificates', () => {
  let stage: SshStage
  let keys: string
  const key = (name: string): string => join(keys, name)
  beforeAll(async () => {
    keys = mkdtempSync(join(tmpdir(), 'sallyport-e2e-keys-'))
    const authority = await makeKey(key('corp-ca'))
    await makeKey(key('stranger-ca'))
    await makeKey(key('id_ed25519'))
    stage = await openSshStage({
      targets: async (server) => {
        const file = async (type: string, principal?: string): Promise<string> => server.certifiedKey(type, principal)
        const [ed, ec, rsa, nobody] = [
          await file('ed25519'),
          await file('ecdsa'),
          await file('rsa'),
          await file('ed25519', 'nobody-there'),
        ]
        const written = (name: string, host: string, keyFile: string, certificate?: string, address = '127.0.0.1'): string =>
          `  - { name: ${name}, protocol: ssh, address: "${address}:${server.port}", ${host}, credential: { username: ${server.username}, privateKey: { file: ${keyFile} }${certificate === undefined ? '' : `, certificate: { file: ${certificate}-cert.pub }`} } }\n`
        const pinned = `hostKey: "${server.hostKey}"`
        const certified = `hostAuthority: "${server.hostAuthority}"`
        return [
          written('by-ed25519', pinned, ed, ed),
          written('by-ecdsa', pinned, ec, ec),
          written('by-rsa', pinned, rsa, rsa),
          written('by-authority', certified, ed, ed),
          written('by-either', `${pinned}, ${certified}`, server.keyFile),
          written('of-a-stranger', `hostAuthority: "${authority}"`, server.keyFile),
          written('of-another-name', certified, server.keyFile, undefined, 'localhost'),
          written('as-nobody', pinned, nobody, nobody),
          written('of-another-key', pinned, ed, ec),
        ].join('')
      },
      rest: `identityProviders:\n  - { name: corp-ca, kind: ssh-ca, publicKey: "${authority}", principals: [robot, ann] }\n`,
    })
  })
  afterAll(async () => {
    await stage.close()
    rmSync(keys, { recursive: true, force: true })
  })

  /** With this key and the certificate beside it, and nothing else. */
  const ssh = (keyFile: string, user: string, command: string, ...options: readonly string[]): Promise<RunResult> =>
    run(program('ssh'), [
      // OpenSSH takes the first of each option.
      ...options,
      '-F',
      '/dev/null',
      '-p',
      String(stage.gateway.sshPort),
      '-i',
      keyFile,
      ...settings.flatMap((each) => ['-o', each]),
      '-o',
      `UserKnownHostsFile=${key('known_hosts')}`,
      `${user}@127.0.0.1`,
      command,
    ])
  const fetched = async (keyFile: string, identity: string, ...more: readonly string[]): Promise<RunResult> =>
    stage.gateway.cli(['ssh-cert', `${keyFile}.pub`, ...more], { as: await stage.gateway.token(identity) })
  const sign = (keyFile: string, ...args: readonly string[]): Promise<string> =>
    runChecked(program('ssh-keygen'), ['-q', '-s', key('corp-ca'), '-I', 'test', ...args, `${keyFile}.pub`])

  describe('of our own authority', () => {
    it.each([['ed25519'], ['ecdsa'], ['rsa']])('let in with a key of type %s, as whoever fetched them', async (type) => {
      const own = key(`own_${type}`)
      await runChecked(program('ssh-keygen'), ['-q', '-t', type, '-N', '', '-f', own])
      expect((await ssh(own, 'web', 'echo in')).code).toBe(255)
      expect(await fetched(own, 'ann')).toMatchObject({ code: 0, stdout: expect.stringContaining(`${own}-cert.pub: ann, until`) })
      const listed = await runChecked(program('ssh-keygen'), ['-L', '-f', `${own}-cert.pub`])
      expect(listed).toMatch(/user certificate[^]*Principals:\s+ann\n[^]*token@sallyport\.internal/)
      expect(await ssh(own, 'web', 'echo in')).toMatchObject({ code: 0, stdout: 'in\n' })
      expect(await ssh(own, 'ann:web', 'echo in')).toMatchObject({ code: 0, stdout: 'in\n' })
      expect((await ssh(own, 'robot:web', 'echo in')).code).toBe(255)
      const [session] = await stage.gateway.json<{ identity: string }[]>('sessions', 'list')
      expect(session?.identity).toBe('ann')
    })

    it('end with the token they were fetched with, and so do their sessions', async () => {
      const own = key('revoked')
      await makeKey(own)
      const token = await stage.gateway.token('ann', '--ttl', '30m')
      const made = await stage.gateway.cli(['ssh-cert', `${own}.pub`, '--json'], { as: token })
      const leftMs = Date.parse((JSON.parse(made.stdout) as { expiresAt: string }).expiresAt) - Date.now()
      expect(leftMs).toBeLessThanOrEqual(30 * 60_000)
      const running = ssh(own, 'web', 'echo started; sleep 60')
      await waitFor(
        async () => (await stage.gateway.json<{ id: string }[]>('sessions', 'list', '--live'))[0]?.id,
        10_000,
        () => 'a live session',
      )
      const [newest] = await stage.gateway.json<{ id: string; identity: string }[]>('token', 'list')
      const began = Date.now()
      expect((await stage.gateway.cli(['token', 'revoke', newest?.id ?? ''])).code).toBe(0)
      expect((await running).code).toBe(255)
      expect(Date.now() - began).toBeLessThan(5_000)
      expect((await ssh(own, 'web', 'true')).code).toBe(255)
      await stage.gateway.logged(/is expired or revoked/)
    })

    it('are for those who show an access token, and for public keys that are sound', async () => {
      const own = key('id_ed25519')
      const asAdmin = await stage.gateway.cli(['ssh-cert', `${own}.pub`])
      expect(asAdmin).toMatchObject({ code: 1, stderr: expect.stringContaining('sallyport login') })
      expect(await fetched(key('missing'), 'ann')).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be read') })
      copyFileSync(own, key('private.pub'))
      expect(await fetched(key('private'), 'ann')).toMatchObject({ code: 1, stderr: expect.stringContaining('not a public key') })
      writeFileSync(key('odd.pub'), 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==\n')
      expect(await fetched(key('odd'), 'ann')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('not a public key that can be certified'),
      })
      expect((await fetched(own, 'ann', '--ttl', '30d')).code).toBe(2)
    })

    it('say in a way that every other server must obey that they open nothing else', async () => {
      const own = key('elsewhere')
      await makeKey(own)
      await fetched(own, 'ann')
      const listed = await runChecked(program('ssh-keygen'), ['-L', '-f', `${own}-cert.pub`])
      expect(listed).toMatch(/Critical Options:\s+token@sallyport\.internal/)
      expect(listed).toMatch(/Extensions:\s+\(none\)/)
    })
  })

  describe('of another authority', () => {
    const cases: readonly (readonly [string, readonly string[], number])[] = [
      ['a principal it may certify', ['-n', 'robot'], 0],
      ['from this address', ['-n', 'robot', '-O', 'source-address=127.0.0.0/8'], 0],
      ['a principal it may not certify', ['-n', 'outsider'], 255],
      ['nobody', ['-n', 'nobody'], 255],
      ['two, where the client names neither', ['-n', 'robot,ann'], 255],
      ['that ended', ['-n', 'robot', '-V', '-2h:-1h'], 255],
      ['that has not begun', ['-n', 'robot', '-V', '+1h:+2h'], 255],
      ['from another address', ['-n', 'robot', '-O', 'source-address=10.0.0.0/8'], 255],
      ['with a command of its own', ['-n', 'robot', '-O', 'force-command=/bin/true'], 255],
      ['with an unknown critical option', ['-n', 'robot', '-O', 'critical:odd@example.com=1'], 255],
      ['a host', ['-h', '-n', 'robot'], 255],
      ['anybody', [], 255],
    ]
    it.each(cases)('for %s', async (_what, args, code) => {
      const own = key('id_ed25519')
      await sign(own, ...args)
      expect((await ssh(own, 'web', 'echo in')).code).toBe(code)
    })

    it('made by a stranger is refused, and says why in the log alone', async () => {
      const own = key('id_ed25519')
      await runChecked(program('ssh-keygen'), ['-q', '-s', key('stranger-ca'), '-I', 'test', '-n', 'robot', `${own}.pub`])
      const result = await ssh(own, 'web', 'true')
      expect(result.code).toBe(255)
      expect(result.stderr).not.toContain('authority')
      await stage.gateway.logged(/no authority that is trusted/)
    })
  })

  describe('of targets', () => {
    const through = (target: string): Promise<RunResult> => stage.ssh(['echo in'], { target })
    it.each([['ed25519'], ['ecdsa'], ['rsa']])('the stored key of type %s is let in by its certificate', async (type) => {
      expect(await through(`by-${type}`)).toMatchObject({ code: 0, stdout: 'in\n' })
      await waitFor(
        () => /Accepted publickey[^\n]*-CERT|Accepted certificate/.exec(stage.server.log()) ?? undefined,
        5_000,
        () => `the server to say so; it said:\n${stage.server.log()}`,
      )
    })
    it('the host key is certified by the authority that is configured, and for its address', async () => {
      expect(await through('by-authority')).toMatchObject({ code: 0, stdout: 'in\n' })
      expect(await through('by-either')).toMatchObject({ code: 0, stdout: 'in\n' })
      for (const target of ['of-a-stranger', 'of-another-name'])
        expect(await through(target), target).toMatchObject({
          code: 255,
          stderr: expect.stringContaining('nor a certificate of its authority'),
        })
    })
    it('a certificate for somebody else, or about another key, does not log in', async () => {
      expect(await through('as-nobody')).toMatchObject({
        code: 255,
        stderr: expect.stringContaining('refused the stored credential'),
      })
      expect(await through('of-another-key')).toMatchObject({
        code: 255,
        stderr: expect.stringContaining('not one about the stored key'),
      })
    })
    it('stays itself over a new key exchange', async () => {
      const sum = await run('/bin/sh', [
        '-c',
        `${program('ssh')} -F ${stage.configFile} by-authority@127.0.0.1 'head -c 100000000 /dev/zero' | wc -c`,
      ])
      expect(sum.stdout.trim()).toBe('100000000')
    })
  })

  describe('of the gateway', () => {
    const trusting = async (line: string, ...options: readonly string[]): Promise<RunResult> => {
      writeFileSync(key('trusted'), `${line}\n`)
      const own = key('host_test')
      if (!existsSync(own)) {
        await makeKey(own)
        await fetched(own, 'ann')
      }
      return ssh(own, 'web', 'echo in', '-o', 'StrictHostKeyChecking=yes', '-o', `UserKnownHostsFile=${key('trusted')}`, ...options)
    }
    it('is known by its authority, by every key exchange and again after a new one', async () => {
      const { stdout } = await stage.gateway.cli(['ca', '--ssh'])
      expect(stdout).toMatch(
        /^@cert-authority \[127\.0\.0\.1\]:\d+\S*,sallyport,\S*web\S* ssh-ed25519 [A-Za-z0-9+/=]+ sallyport\n$/,
      )
      expect(await trusting(stdout.trim())).toMatchObject({ code: 0, stdout: 'in\n' })
      expect(await trusting(stdout.trim(), '-o', 'HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com')).toMatchObject({ code: 0 })
      for (const kex of ['curve25519-sha256', 'ecdh-sha2-nistp384', 'diffie-hellman-group16-sha512'])
        expect(await trusting(stdout.trim(), '-o', `KexAlgorithms=${kex}`), kex).toMatchObject({ code: 0 })
      const own = key('host_test')
      const child = spawn('/bin/sh', [
        '-c',
        `${program('ssh')} -F /dev/null -p ${stage.gateway.sshPort} -i ${own} -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=${key('trusted')} -o RekeyLimit=1M open@127.0.0.1 'head -c 20000000 /dev/zero' | wc -c`,
      ])
      let count = ''
      child.stdout.on('data', (chunk: Buffer) => (count += chunk.toString()))
      await new Promise((done) => child.once('close', done))
      expect(count.trim()).toBe('20000000')
    })

    it('is not known by another authority, nor by another host key; the plain key still is enough', async () => {
      const stranger = await runChecked('/bin/cat', [key('stranger-ca.pub')])
      const names = `[127.0.0.1]:${stage.gateway.sshPort}`
      expect((await trusting(`@cert-authority ${names} ${stranger.trim()}`)).code).toBe(255)
      expect((await trusting(`${names} ${stranger.trim()}`)).code).toBe(255)
      const plain = (await stage.gateway.cli(['ca', '--host-key'])).stdout.trim()
      expect(await trusting(`${names} ${plain}`)).toMatchObject({ code: 0, stdout: 'in\n' })
      expect(await trusting(`${names} ${plain}`, '-o', 'HostKeyAlgorithms=ssh-ed25519')).toMatchObject({ code: 0 })
    })

    it('is the same after a restart', async () => {
      const before = (await stage.gateway.cli(['ca', '--ssh', '--json'])).stdout
      await stage.gateway.restart()
      const after = (await stage.gateway.cli(['ca', '--ssh', '--json'])).stdout
      const authority = (text: string): string => (JSON.parse(text) as { authority: string }).authority
      expect(authority(after)).toBe(authority(before))
    })
  })
})
