// The certificate of the authority that signed what the gateway shows: for `sslrootcert`, `--cacert` and the like.

import { openClient } from '../client/gateway-client.js'
import { printJson } from '../output/terminal.js'
import type { Terminal } from '../output/terminal.js'

export async function caCommand(options: { readonly json?: true }, terminal: Terminal): Promise<void> {
  const certificate = await openClient(terminal.env).text('/authority')
  if (options.json === true) printJson(terminal, { certificate })
  else terminal.out(certificate)
}
