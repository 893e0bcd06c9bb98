// Values masked in what commands and shells print, through the real ssh and sshd: nothing of them reaches the caller or the record, and what
// cannot be looked into is not shown.

import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lacks, program, run, type RunResult } from '../backends/programs.js'
import { waitFor } from '../backends/psql.js'
import { openSshStage, type SshStage } from '../backends/ssh-stage.js'

const planted = 'planted@example.test'
const card = '4111 1111 1111 1111'

describe.skipIf(lacks('ssh', 'sshd', 'sftp', 'scp'))('masked output', () => {
  let stage: SshStage
  let people: string
  beforeAll(async () => {
    stage = await openSshStage({
      targets: async (server) =>
        ['masked', 'tokens']
          .map(
            (name) =>
              `  - { name: ${name}, protocol: ssh, address: "127.0.0.1:${server.port}", hostKey: "${server.hostKey}", credential: { username: ${server.username}, privateKey: { file: ${server.keyFile} } } }\n`,
          )
          .join(''),
      rest: `  - { name: values, where: { targets: [masked] }, what: { detectors: [email, card] }, then: mask }
  - { name: stand-ins, where: { targets: [tokens] }, what: { detectors: [email] }, then: mask, with: token }
`,
    })
    mkdirSync(join(stage.server.directory, 'far'), { recursive: true })
    people = join(stage.server.directory, 'far', 'people')
    writeFileSync(people, `1,${planted},${card}\n2,other@example.test,none\n`)
  })
  afterAll(() => stage.close())

  const masked = (args: readonly string[], input = ''): Promise<RunResult> => stage.ssh(args, { target: 'masked', input })
  /** All that was recorded of the newest session at this target, as people read it. */
  const recorded = async (target = 'masked'): Promise<string> => {
    const sessions = await stage.gateway.json<readonly { id: string; target: string }[]>('sessions', 'list')
    const id = sessions.find((each) => each.target === target)?.id ?? ''
    const shown = await stage.gateway.cli(['sessions', 'show', id, '--json'])
    return `${(await stage.gateway.cli(['replay', id, '--instant'])).stdout}${shown.stdout}`
  }

  it('covers values on stdout and on stderr, and the record has no others', async () => {
    const result = await masked([`cat ${people}; cat ${people} >&2; exit 3`])
    const covered = '1,[redacted],[redacted]\n2,[redacted],none\n'
    expect(result).toEqual({ code: 3, stdout: covered, stderr: covered })
    const kept = await recorded()
    expect(kept).toContain('1,[redacted],[redacted]')
    expect(kept).not.toContain('planted@')
    expect(kept).not.toContain('4111 1111')
  })

  it('covers values that come in pieces', async () => {
    const pieces = ['pla', 'nted', '@exam', 'ple.te', 'st 4111 11', '11 1111 ', '1111\\n']
    const slowly = pieces.map((piece) => `printf '${piece}'; sleep 0.3`).join('; ')
    expect((await masked([slowly])).stdout).toBe('[redacted] [redacted]\n')
    expect(await recorded()).not.toMatch(/planted@|nted@|1111 1111/)
  })

  it('covers them in a lot of text, whole', async () => {
    const result = await masked([`for i in $(seq 20000); do echo "$i ${planted} text"; done`])
    const lines = result.stdout.split('\n')
    expect(lines).toHaveLength(20_001)
    expect(lines.every((line) => line === '' || /^\d+ \[redacted\] text$/.test(line))).toBe(true)
  })

  it('a shell without a terminal, and with one', async () => {
    expect((await masked(['-T'], `cat ${people}\n`)).stdout).toBe('1,[redacted],[redacted]\n2,[redacted],none\n')
    const child = spawn(program('ssh'), ['-F', stage.configFile, '-tt', 'masked@127.0.0.1'])
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    const ended = new Promise((done) => child.once('close', done))
    const shows = (text: string): Promise<true> =>
      waitFor(
        async () => (said.includes(text) ? true : undefined),
        10_000,
        () => `${text} in ${JSON.stringify(said)}`,
      )
    child.stdin.write(`PS1='ready''> '; unset PROMPT_COMMAND\r`)
    await shows('ready> ')
    child.stdin.write(`cat ${people}; echo seen-$((1+1))\r`)
    await shows('seen-2')
    // What is typed is shown while it is typed.
    child.stdin.write('echo typ')
    await shows('echo typ')
    child.stdin.write('ed; exit 4\r')
    expect(await ended).toBe(4)
    expect(said).toContain('1,[redacted],[redacted]')
    expect(said).not.toContain('planted@')
    expect(await recorded()).not.toContain('planted@')
  })

  it.each([
    ['bytes that are no text', 'head -c 5000 /dev/urandom', 'text'],
    ['a line that does not end', 'head -c 400000 /dev/zero | tr "\\0" a', 'too long'],
  ])('stops %s', async (_what, command, said) => {
    const result = await masked([`${command}; sleep 20; echo after`])
    expect(result.code).toBe(126)
    expect(result.stderr).toMatch(/denied by rule values: what it prints must be masked, and .*\n.*statement 1\.\nIt was stopped/)
    expect(result.stderr).toContain(said)
    expect(result.stdout).not.toContain('after')
    expect(await recorded()).toContain('must be masked')
  })

  it('stops a program that draws on the screen', async () => {
    const result = await masked(['-tt', `printf '\\033[?1049h\\033[3;4H'; cat ${people}; sleep 20`])
    expect(result).toMatchObject({ code: 126, stderr: expect.stringContaining('draws on the screen') })
    expect(result.stdout).not.toContain('planted@')
    expect((await masked(['echo', 'the', 'next'])).stdout).toBe('the next\n')
  })

  it('files are not transferred that would have to be looked into', async () => {
    const near = join(stage.directory, 'near')
    for (const protocol of ['-O', '-s']) {
      const result = await run(program('scp'), [protocol, '-F', stage.configFile, `masked@127.0.0.1:${people}`, near])
      expect(result.code, protocol).not.toBe(0)
      expect(result.stderr).toMatch(/must be masked|ermission denied/)
    }
    writeFileSync(near, 'up')
    expect((await run(program('scp'), ['-F', stage.configFile, near, `masked@127.0.0.1:${people}.up`])).code).toBe(0)
  })

  it('a stand-in differs by value, and is not written back', async () => {
    const result = await stage.ssh([`cat ${people} ${people}`], { target: 'tokens' })
    const found = result.stdout.match(/tok_[0-9a-f]{16}/g) ?? []
    expect(found).toHaveLength(4)
    expect(new Set(found).size).toBe(2)
    const back = await stage.ssh([`echo ${found[0] ?? ''} > ${people}.back`], { target: 'tokens' })
    expect(back).toMatchObject({ code: 126, stderr: expect.stringContaining('stand-in of a masked value') })
  })

  it('explain says it', async () => {
    const ask = (statement: string): Promise<RunResult> =>
      stage.gateway.cli(['policy', 'explain', '--identity', 'robot', '--target', 'masked', '--statement', statement])
    expect((await ask('cat /x')).stdout).toMatch(/mask/)
    expect((await ask('scp -f /x')).stdout).toMatch(/files that are transferred are not looked into/)
  })
})
