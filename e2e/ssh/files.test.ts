// Files over SSH: sftp, scp in both protocols, rsync, git; each file a statement, its content known by its hash.

import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks, program, run, type RunResult } from '../backends/programs.js'
import { decide, openReview } from '../backends/reviews.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

describe.skipIf(lacks('ssh', 'sshd', 'sftp', 'scp'))('files', () => {
  let stage: SshStage
  let far: string
  const content = randomBytes(700_000)
  const sha256 = createHash('sha256').update(content).digest('hex')
  let near: string

  beforeAll(async () => {
    stage = await openSshStage()
    far = join(stage.server.directory, 'far')
    near = join(stage.directory, 'near')
    writeFileSync(near, content)
    for (const name of ['', 'forbidden', 'asked']) mkdirSync(join(far, name), { recursive: true })
    writeFileSync(join(far, 'forbidden', 'x'), 'secret')
  })
  afterAll(() => stage.close())

  const sftp = (...lines: readonly string[]): Promise<RunResult> =>
    run(program('sftp'), ['-F', stage.configFile, '-b', '-', 'web@127.0.0.1'], {
      input: `${lines.join('\n')}\n`,
      cwd: stage.directory,
    })
  const scp = (...args: readonly string[]): Promise<RunResult> => run(program('scp'), ['-F', stage.configFile, ...args])
  const replayOfLast = async (): Promise<string> => {
    const [newest] = await stage.gateway.json<readonly { id: string }[]>('sessions', 'list')
    return (await stage.gateway.cli(['replay', newest?.id ?? '', '--instant'])).stdout
  }

  it('sftp does all that it does, each step on record, contents by size and hash', async () => {
    const result = await sftp(
      `put near ${far}/a`,
      `get ${far}/a back`,
      `chmod 600 ${far}/a`,
      `rename ${far}/a ${far}/b`,
      `mkdir ${far}/dir`,
      `ln -s ${far}/b ${far}/link`,
      `ls -l ${far}`,
      `rm ${far}/link`,
      `rmdir ${far}/dir`,
      `df ${far}`,
    )
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(join(stage.directory, 'back')).equals(content)).toBe(true)
    expect(readFileSync(join(far, 'b')).equals(content)).toBe(true)
    expect(result.stdout).toMatch(/700000 .*b$/m)
    const replayed = await replayOfLast()
    for (const said of [`write ${far}/a`, `read ${far}/a`, `rename ${far}/a to ${far}/b`, `delete ${far}/link`, `mkdir ${far}/dir`])
      expect(replayed).toContain(said)
    expect(replayed).toContain(`${far}/a written: 700000 bytes, sha256 ${sha256}`)
    expect(replayed).toContain(`${far}/a read: 700000 bytes, sha256 ${sha256}`)
  })

  it('a denied file is a permission that is missing, and the session goes on', async () => {
    const result = await sftp(
      `-get ${far}/forbidden/x stolen`,
      `-put near ${far}/forbidden/y`,
      `-rename ${far}/forbidden/x ${far}/z`,
      'pwd',
    )
    expect(result.code).toBe(0)
    expect(result.stdout).toContain('Remote working directory')
    expect(result.stderr).toContain('denied by rule secret-files: Not that file.')
    expect(existsSync(join(stage.directory, 'stolen'))).toBe(false)
    expect(existsSync(join(far, 'forbidden', 'y'))).toBe(false)
    expect(existsSync(join(far, 'z'))).toBe(false)
  })

  it('a file can wait for review', async () => {
    const waiting = sftp(`put near ${far}/asked/a`)
    const review = await openReview(stage.gateway, 'asked/a')
    expect(existsSync(join(far, 'asked', 'a'))).toBe(false)
    await decide(stage.gateway, 'approve', review.id, 'ann')
    expect((await waiting).code).toBe(0)
    expect(readFileSync(join(far, 'asked', 'a')).equals(content)).toBe(true)
  })

  it.each([['-s'], ['-O']])('scp %s', async (protocol) => {
    expect(await scp(protocol, near, `web@127.0.0.1:${far}/scp${protocol}`)).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(join(far, `scp${protocol}`)).equals(content)).toBe(true)
    const back = join(stage.directory, `back${protocol}`)
    expect(await scp(protocol, `web@127.0.0.1:${far}/scp${protocol}`, back)).toMatchObject({ code: 0 })
    expect(readFileSync(back).equals(content)).toBe(true)
    expect((await scp(protocol, `web@127.0.0.1:${far}/forbidden/x`, back)).code).not.toBe(0)
    expect((await scp(protocol, near, `web@127.0.0.1:${far}/forbidden/y`)).code).not.toBe(0)
    expect(existsSync(join(far, 'forbidden', 'y'))).toBe(false)
  })

  it.skipIf(lacks('rsync'))('rsync', async () => {
    const tree = join(stage.directory, 'tree')
    mkdirSync(join(tree, 'x'), { recursive: true })
    writeFileSync(join(tree, 'x', '1'), content)
    const shell = ['-a', '-e', `${program('ssh')} -F ${stage.configFile}`]
    const sent = await run(program('rsync'), [...shell, `${tree}/`, `open@127.0.0.1:${far}/tree/`])
    expect(sent).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(join(far, 'tree', 'x', '1')).equals(content)).toBe(true)
    expect(await run(program('rsync'), [...shell, `open@127.0.0.1:${far}/tree/`, `${tree}2/`])).toMatchObject({ code: 0 })
    expect(readFileSync(join(`${tree}2`, 'x', '1')).equals(content)).toBe(true)
    // It takes whole trees, so that a rule about a file in some tree could apply.
    const denied = await run(program('rsync'), [...shell, `${tree}/`, `web@127.0.0.1:${far}/`])
    expect(denied.stderr).toContain('secret-files')
    expect(existsSync(join(far, 'x'))).toBe(false)
  })

  it.skipIf(lacks('git'))('git', async () => {
    const git = (...args: readonly string[]): Promise<RunResult> =>
      run(program('git'), ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
        env: { GIT_SSH_COMMAND: `${program('ssh')} -F ${stage.configFile}`, GIT_CONFIG_GLOBAL: '/dev/null' },
      })
    const [bare, work, clone] = [join(far, 'r.git'), join(stage.directory, 'work'), join(stage.directory, 'clone')]
    await git('init', '-q', '--bare', bare)
    await git('init', '-q', work)
    await git('-C', work, 'commit', '-q', '--allow-empty', '-m', 'through the gateway')
    expect(await git('-C', work, 'push', '-q', `ssh://open@127.0.0.1${bare}`, 'HEAD:main')).toMatchObject({ code: 0 })
    expect(await git('clone', '-q', '-b', 'main', `ssh://open@127.0.0.1${bare}`, clone)).toMatchObject({ code: 0 })
    expect((await git('-C', clone, 'log', '--oneline')).stdout).toContain('through the gateway')
  })
})
