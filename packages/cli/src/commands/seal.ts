// A secret from stdin, sealed with this installation's key, ready to paste into the configuration.

import { Misconfigured } from '@sallyport/core'
import { openVault } from '@sallyport/vault'
import { homeOf } from '../home.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

/** A private key with a long chain is 20 KiB. */
const MAX_SECRET_BYTES = 64 * 1024

export async function sealCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  if (process.stdin.isTTY) terminal.err('write the secret, then Ctrl-D on a line of its own')
  const text = await readSecret()
  const vault = openVault({ home: homeOf(terminal.env).directory, env: terminal.env, baseDirectory: process.cwd() })
  const sealed = vault.seal(text)
  if (options.json === true) printJson(terminal, { sealed })
  else terminal.out(`{ sealed: "${sealed}" }`)
}

async function readSecret(): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array)
    sizeBytes += bytes.length
    if (sizeBytes > MAX_SECRET_BYTES)
      throw new Misconfigured('secret-too-long', 'a secret is at most 64 KiB; is this the right file?')
    chunks.push(bytes)
  }
  // `echo secret | sallyport seal` adds a line feed that is not part of the secret.
  const text = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (text === '') throw new Misconfigured('no-secret', 'nothing came on stdin; write: printf %s "$SECRET" | sallyport seal')
  return text
}
