#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=1 --single-threaded-gc
// One malloc arena and a small young generation: a gateway's memory is buffers that die young, and many arenas keep each its own share of
// what was freed (during a large result: about 60 MB less resident). The heap is small and the garbage is buffers, so threads that help to collect cost
// more than they save (a result of 20,000 rows: 11.6 ms of CPU with them, 5.6 without, and half as many again a second).
import { run, systemTerminal } from '../dist/index.js'

process.exitCode = await run(process.argv.slice(2), systemTerminal())
