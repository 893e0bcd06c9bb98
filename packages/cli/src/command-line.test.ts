import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from './command-line.js'

let home = ''
beforeAll(() => (home = mkdtempSync(join(tmpdir(), 'sallyport-command-line-'))))
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** One run of the command, with what it printed. No gateway runs from this home. */
async function sallyport(...args: readonly string[]) {
  const printed = { out: '', err: '' }
  const code = await run(args, {
    env: { SALLYPORT_HOME: home },
    isTty: false,
    out: (text) => void (printed.out += text.endsWith('\n') ? text : `${text}\n`),
    err: (text) => void (printed.err += text.endsWith('\n') ? text : `${text}\n`),
    drained: async () => {},
  })
  return { code, ...printed }
}

describe('what is misused exits 2 and says so', () => {
  it.each([
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['token', 'creat', 'bot'], /unknown command 'creat'/],
    [['token', 'create'], /missing required argument 'identity'/],
    [['token', 'create', 'bot', 'extra'], /too many arguments/],
    [['token', 'create', 'bot', '--ttl', '8x'], /Write a span of time/],
    [['token', 'create', 'bot', '--ttl', '59s'], /At least a minute, at most thirty days/],
    [['token', 'create', 'bot', '--ttl', '31d'], /At least a minute, at most thirty days/],
    [['sessions', 'list', '--since', 'yesterday'], /Write how long ago/],
    [['sessions', '--limit', '0'], /Write a number from 1 to 1000/],
    [['sessions', 'list', 'extra'], /too many arguments/],
    [['replay'], /missing required argument 'session'/],
    [['replay', 's', '--speed', '0'], /Write a number above 0/],
    [['replay', 's', '--format', 'xml'], /Allowed choices are text, json/],
    [['reviews', 'list', '--state', 'pending'], /Allowed choices are open/],
    [['policy', 'explain', '--identity', 'a', '--target', 'b'], /required option '--statement <text>'/],
    [['apply'], /required option '-f, --file <file>'/],
    [['whoami', '--frob'], /unknown option '--frob'/],
    [['token'], /Usage: sallyport token/],
  ])('%s', async (args, says) => {
    const { code, out, err } = await sallyport(...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(says)
  })
})

describe('what does not work exits 1 with one line', () => {
  it.each([
    ['whoami'],
    ['targets'],
    ['sessions'],
    ['reviews'],
    ['token', 'create', 'bot'],
    ['replay', 's'],
    ['verify'],
    ['search', 'x'],
    ['ca'],
    ['export-config'],
    ['status'],
    ['run', '--as', 'bot', '--', 'true'],
    ['policy', 'explain', '--identity', 'a', '--target', 'b', '--statement', 'c'],
  ])('%s, where no gateway runs', async (...args) => {
    const { code, out, err } = await sallyport(...args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toBe(
      `sallyport: no gateway runs from ${home}; start one with \`sallyport start\`, or set SALLYPORT_HOME or SALLYPORT_URL\n`,
    )
  })

  it('start, without a configuration', async () => {
    const { code, err } = await sallyport('start', '-c', join(home, 'none.yaml'))
    expect(code).toBe(1)
    expect(err).toMatch(/^sallyport: there is no .*none\.yaml; write one .*\n$/)
  })

  it('a token that would travel in clear', async () => {
    const printed: string[] = []
    const env = { SALLYPORT_URL: 'http://gateway.example:7080', SALLYPORT_TOKEN: 'sp_secret' }
    const said = (text: string): void => void printed.push(text)
    const code = await run(['whoami'], { env, isTty: false, out: said, err: said, drained: async () => {} })
    expect(code).toBe(1)
    expect(printed).toEqual(['sallyport: http://gateway.example:7080 would carry the token in clear; use https'])
  })
})

describe('help and version', () => {
  it('exit 0 on stdout', async () => {
    expect(await sallyport('--version')).toEqual({ code: 0, out: '0.1.0\n', err: '' })
    const help = await sallyport('sessions', '--help')
    expect({ code: help.code, err: help.err }).toEqual({ code: 0, err: '' })
    expect(help.out).toContain('cut a live session at once')
  })
})

describe('check', () => {
  it('names each fault on stderr and exits 1, or says that all is well', async () => {
    const file = join(home, 'sallyport.yaml')
    writeFileSync(file, 'listn: []\n')
    expect(await sallyport('check', '-c', file)).toEqual({
      code: 1,
      out: '',
      err: `${file}:1:1: unknown key "listn"; did you mean "listen"?\n`,
    })
    const asJson = await sallyport('check', '-c', file, '--json')
    expect(asJson.code).toBe(1)
    expect(JSON.parse(asJson.out)).toMatchObject({ ok: false, faults: [{ line: 1, column: 1 }] })
    writeFileSync(file, '# nothing\n')
    expect(await sallyport('check', '-c', file)).toMatchObject({ code: 0, err: '' })
  })
})
