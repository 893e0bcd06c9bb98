// A target that serves no more channels, and one that goes away: each fails what it concerns, in words, and nothing else.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { lacks, program, run, type RunResult } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

describe.skipIf(lacks('ssh', 'sshd'))('targets at fault', () => {
  let stage: SshStage
  beforeAll(async () => {
    stage = await openSshStage({ sshd: 'MaxSessions 2' })
  })
  afterAll(() => stage.close())

  const master = async (name: string): Promise<(...args: readonly string[]) => Promise<RunResult>> => {
    const control = join(stage.directory, name)
    const child = spawn(program('ssh'), ['-F', stage.configFile, '-N', '-M', '-S', control, 'web@127.0.0.1'], { stdio: 'ignore' })
    onTestFinished(() => void child.kill())
    const shared = (...args: readonly string[]): Promise<RunResult> =>
      run(program('ssh'), ['-F', stage.configFile, '-S', control, '-o', 'ControlMaster=no', ...args])
    await waitFor(
      async () => ((await shared('-O', 'check', 'web@127.0.0.1')).code === 0 ? true : undefined),
      10_000,
      () => 'the shared connection',
    )
    return shared
  }

  it('a channel that the target refuses fails alone', async () => {
    const shared = await master('full')
    const running = [1, 2].map(() => shared('web@127.0.0.1', 'sleep 3; echo done'))
    await wait(1_500)
    const refused = await shared('web@127.0.0.1', 'true')
    expect(refused).toMatchObject({ code: 255, stderr: expect.stringContaining('serves no more at once (MaxSessions of sshd)') })
    const files = await run(program('sftp'), [
      '-F',
      stage.configFile,
      '-o',
      `ControlPath=${join(stage.directory, 'full')}`,
      'web@127.0.0.1',
    ])
    expect(files.stderr).toContain('serves no more channels at once')
    for (const each of running) expect(await each).toMatchObject({ code: 0, stdout: 'done\n' })
    expect(await shared('web@127.0.0.1', 'echo again')).toMatchObject({ code: 0, stdout: 'again\n' })
    expect(stage.gateway.log()).not.toContain('bug:')
  })

  it('a connection ends with its target, and the next is a new one', async () => {
    const shared = await master('gone')
    const running = shared('web@127.0.0.1', 'sleep 30')
    await wait(1_000)
    await stage.server.drop()
    expect((await running).code).toBe(255)
    await waitFor(
      async () => ((await shared('-O', 'check', 'web@127.0.0.1')).code === 0 ? undefined : true),
      10_000,
      () => 'the end of the shared connection',
    )
    expect(await stage.ssh(['echo back'])).toMatchObject({ code: 0, stdout: 'back\n' })
    const sessions = await stage.gateway.json<readonly { outcome: string }[]>('sessions', 'list')
    expect(sessions.map(({ outcome }) => outcome)).toContain('the target hung up')
    expect(stage.gateway.log()).not.toContain('bug:')
  })
})
