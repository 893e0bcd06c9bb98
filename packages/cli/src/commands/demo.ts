// The demo, loaded when it is asked for.

import type { Terminal } from '../output/terminal.js'
import { runDemo } from '../demo/demo.js'

export async function demoCommand(options: { readonly once?: true }, terminal: Terminal): Promise<number> {
  return runDemo(options, terminal)
}
