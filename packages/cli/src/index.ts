// The command as a function, for who wants to run it inside another process.

export { run } from './command-line.js'
export { systemTerminal } from './output/terminal.js'
export type { Terminal } from './output/terminal.js'
