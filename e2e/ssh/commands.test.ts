// `ssh host command` through the gateway: what a caller sees, what reaches the server, what is on record.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks, program, run } from '../backends/programs.js'
import { decide, openReview, settled } from '../backends/reviews.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

interface Shown {
  readonly id: string
  readonly outcome: string | null
  readonly statementList: readonly {
    readonly kind: string
    readonly text: string
    readonly ruling: { readonly kind: string; readonly rule: string | null } | null
    readonly error: string | null
  }[]
}

describe.skipIf(lacks('ssh', 'sshd', 'ssh-keygen'))('commands', () => {
  let stage: SshStage
  beforeAll(async () => {
    stage = await openSshStage()
  })
  afterAll(() => stage.close())

  /** The newest session, once it is over and in the database. */
  const lastSession = async (): Promise<Shown> => {
    const [newest] = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list')
    return stage.gateway.json<Shown>('sessions', 'show', newest?.id ?? '')
  }

  it('keeps stdout, stderr, stdin and the exit code apart', async () => {
    const result = await stage.ssh(['cat; echo oops >&2; exit 7'], { input: 'from stdin\n' })
    expect(result).toEqual({ code: 7, stdout: 'from stdin\n', stderr: 'oops\n' })
  })

  it('tells a signal from an exit', async () => {
    expect((await stage.ssh(['kill -9 $$'])).code).toBe(255)
  })

  it('passes binary data both ways unchanged', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index)).toString('latin1')
    const result = await stage.ssh(['cat | od -An -tx1 | tr -d " \\n"'], { input: bytes })
    expect(result.stdout).toBe(Buffer.from(bytes, 'utf8').toString('hex'))
  })

  it('denies on stderr with exit 126, runs nothing, and the connection goes on', async () => {
    const doomed = join(stage.server.directory, 'doomed')
    mkdirSync(join(doomed, 'inner'), { recursive: true })
    for (const command of [
      `rm -rf ${doomed}`,
      `r''m -fr ${doomed}`,
      `sh -c 'rm -r ${doomed}'`,
      `find ${doomed} -exec rm -r {} +`,
    ]) {
      const result = await stage.ssh([command])
      expect(result, command).toMatchObject({ code: 126, stdout: '' })
      expect(result.stderr).toContain('denied by rule no-trees: Removing trees is for people.')
      expect(result.stderr).toMatch(/Session s[a-z0-9]+, statement 1\./)
    }
    expect(existsSync(join(doomed, 'inner'))).toBe(true)
  })

  it('denies what could be the forbidden program, and says that it could not be told', async () => {
    for (const command of ['echo cm0gLXJmIC94 | base64 -d | sh', 'x=rm; $x -rf /x', 'python3 x.py']) {
      const result = await stage.ssh([command])
      expect(result, command).toMatchObject({ code: 126 })
      expect(result.stderr).toMatch(/is not known, and this rule could apply/)
    }
  })

  it('understands SQL inside a command', async () => {
    const result = await stage.ssh([`psql -c 'drop table orders' shop`])
    expect(result.code).toBe(126)
    expect(result.stderr).toContain('denied by rule no-drops')
    for (const command of [`mysql -Ne 'drop table orders' shop`, `psql <<< 'drop table orders'`])
      expect(await stage.ssh([command]), command).toMatchObject({ code: 126, stderr: expect.stringContaining('no-drops') })
    // What the program takes for more than it seems could be anything.
    expect(await stage.ssh([`mysql -e 'select 1' --exec='drop table x'`])).toMatchObject({ code: 126 })
    expect((await stage.ssh([`mysql -e 'select 1' 2>/dev/null; echo reached`])).stdout).toContain('reached')
    expect((await stage.ssh([`psql -c 'select 1' 2>/dev/null; echo reached`])).stdout).toContain('reached')
  })

  it('holds a command for review with its stdin, and runs it once it is approved', async () => {
    const file = join(stage.server.directory, 'owned')
    writeFileSync(file, '')
    const running = stage.ssh([`chown ${process.getuid?.() ?? 0} ${file} && cat > ${file}`], { input: 'kept while waiting' })
    const review = await openReview(stage.gateway, 'chown')
    expect((await stage.ssh(['cat', file])).stdout).toBe('')
    expect((await decide(stage.gateway, 'approve', review.id, 'ann')).code).toBe(0)
    const result = await running
    expect(result.code).toBe(0)
    expect(result.stderr).toContain(review.id)
    expect((await stage.ssh(['cat', file])).stdout).toBe('kept while waiting')
  })

  it('a denied review ends it with the reason; a client that goes away withdraws it', async () => {
    const denied = stage.ssh(['chown root denied-one'])
    const review = await openReview(stage.gateway, 'denied-one')
    await decide(stage.gateway, 'deny', review.id, 'ann')
    const result = await denied
    expect(result.code).toBe(126)
    expect(result.stderr).toContain('deny by ann')
    const gone = stage.ssh(['chown root gone-one'], { withinMs: 2_000 })
    const withdrawn = await openReview(stage.gateway, 'gone-one')
    await gone
    expect(await settled(stage.gateway, withdrawn.id)).toBe('withdrawn')
  })

  it('records what the client saw, and replays it', async () => {
    await stage.ssh(['echo to-stdout; echo to-stderr >&2; cat; exit 3'], { input: 'typed input\n' })
    const session = await lastSession()
    expect(session.statementList).toMatchObject([{ kind: 'command', ruling: { kind: 'allow' }, error: 'exit 3' }])
    const replayed = (await stage.gateway.cli(['replay', session.id, '--instant'])).stdout
    expect(replayed).toContain('to-stdout')
    expect(replayed).toContain('stderr: to-stderr')
    expect(replayed).toContain('input: typed input')
    expect((await stage.gateway.cli(['verify', session.id])).code).toBe(0)
  })

  it('passes variables of the allow-list only', async () => {
    const options = ['-F', stage.configFile, '-o', 'SetEnv=LC_ALL=C.UTF-8 SECRET=planted']
    const set = await run(program('ssh'), [...options, 'web@127.0.0.1', 'echo "[$LC_ALL][$SECRET]"'])
    expect(set.stdout).toBe('[C.UTF-8][]\n')
  })

  it('explains what the rules say of a command', async () => {
    const explained = await stage.gateway.cli([
      'policy',
      'explain',
      '--identity',
      'robot',
      '--target',
      'web',
      '--statement',
      'sudo rm -rf /srv',
    ])
    expect(explained.stdout).toContain('no-trees')
    expect(explained.stdout).toMatch(/deny|denied/)
    // What is not known before it runs is no letter of its own.
    expect(explained.stdout).toContain('write: delete /srv/…\n')
  })
})
