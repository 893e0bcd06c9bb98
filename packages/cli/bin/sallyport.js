#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1
// One malloc arena and a small young generation: a gateway's memory is buffers that die young, and many arenas keep each its own share of
// what was freed (during a large result: about 60 MB less resident).
import { run, systemTerminal } from '../dist/index.js'

process.exitCode = await run(process.argv.slice(2), systemTerminal())
