// The `sallyport` command.

import { run } from './command-line.js'
import { systemTerminal } from './output/terminal.js'

process.exitCode = await run(process.argv.slice(2), systemTerminal())
