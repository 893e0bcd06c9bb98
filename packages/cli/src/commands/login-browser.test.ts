// What a gateway may have opened on the machine of whoever logs in at it.

import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { sendBrowser } from './login-browser.js'

let home = ''
beforeAll(() => (home = mkdtempSync(join(tmpdir(), 'sallyport-login-browser-'))))
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Sends a browser that writes down what it was started with, and tells what the person read. */
function browser(name: string) {
  const [program, log] = [join(home, name), join(home, `${name}.log`)]
  writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" >>'${log}'\n`)
  chmodSync(program, 0o700)
  const read: string[] = []
  const send = (url: string): void => sendBrowser(url, { env: { BROWSER: program }, err: (text) => void read.push(text) })
  return { send, read, opened: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []) }
}

it.each([
  'https://login.example/auth?state=s',
  'http://127.0.0.1:5000/auth',
  'http://[::1]:5000/auth',
  'http://localhost:5000/auth',
])('%s is opened', async (url) => {
  const { send, read, opened } = browser(`good-${url.replaceAll(/\W/g, '-')}`)
  send(url)
  await vi.waitFor(() => expect(opened()).toEqual([url]), 5000)
  expect(read[0]).toBe(`A browser opens; if it does not, open ${url}`)
})

it('nothing else is opened: it is shown, with a warning', async () => {
  const { send, read, opened } = browser('bad')
  const others = [
    'http://login.example/auth',
    'http://127.0.0.1.login.example/',
    'http://localhost@login.example/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'smb://login.example/share',
    'ms-msdt:/id',
    '--help',
  ]
  for (const url of others) {
    read.length = 0
    send(url)
    expect(read.slice(0, 2)).toEqual([expect.stringMatching(/^warning: .* not https, so it is not opened/), `Open ${url}`])
  }
  // What was started before it has had its time.
  send('https://login.example/last')
  await vi.waitFor(() => expect(opened()).toContain('https://login.example/last'), 5000)
  expect(opened()).toEqual(['https://login.example/last'])
})
