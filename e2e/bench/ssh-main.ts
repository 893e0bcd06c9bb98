// Commands and bulk over SSH: sshd itself, sshd behind an OpenSSH jump host (`ssh -J`), and through the gateway, in turns. `npm run bench -- ssh`
// prints a table.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { program, run } from '../backends/programs.js'
import { openSshStage } from '../backends/ssh-stage.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 15)
const bulkBytes = 200 * 1024 * 1024
const clockTicks = 100 // USER_HZ, fixed on Linux

const stage = await openSshStage()
const { server, gateway, configFile, directory } = stage
const ssh = program('ssh')
const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ')
const own = ['-F', configFile, '-p', String(server.port), '-i', server.keyFile]
const host = `${server.username}@127.0.0.1`
/** What `-J` runs (ssh_config, ProxyJump), with the key that opens the jump host. */
const jump = `ProxyCommand=${[ssh, ...own].join(' ')} -W %h:%p ${host}`
const ways = {
  'sshd itself': [...own, host],
  'OpenSSH jump host': [...own, '-o', jump, host],
  'through the gateway': ['-F', configFile, 'open@127.0.0.1'],
}

interface Times {
  readonly login: number[]
  readonly command: number[]
  readonly down: number[]
  readonly up: number[]
}

async function timed(command: string, args: readonly string[]): Promise<number> {
  const began = performance.now()
  const { code, stderr } = await run(command, args, { withinMs: 300_000 })
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
  return performance.now() - began
}

/** CPU time of the gateway and all its threads, in seconds; 0 where the kernel does not tell. */
function cpuSeconds(): number {
  if (process.platform !== 'linux') return 0
  const stat = readFileSync(`/proc/${gateway.pid()}/stat`, 'utf8')
  const after = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(after[11]) + Number(after[12])) / clockTicks
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
}

const masters = Object.entries(ways).map(([name, way], index) => {
  const control = join(directory, `bench-${index}`)
  const times: Times = { login: [], command: [], down: [], up: [] }
  return { name, way, control, times, child: spawn(ssh, ['-N', '-M', '-S', control, ...way], { stdio: 'ignore' }) }
})
await wait(2_000)
const cpu = { down: 0, up: 0 }
let bulks = 0
for (let round = 0; round < rounds; round += 1) {
  for (const { way, control, times } of masters) {
    times.login.push(await timed(ssh, [...way, 'true']))
    times.command.push(await timed(ssh, ['-S', control, ...way, 'true']))
    if (round % 5 !== 0) continue
    const line = quoted([ssh, ...way])
    const before = cpuSeconds()
    times.down.push(await timed('/bin/sh', ['-c', `${line} 'head -c ${bulkBytes} /dev/zero' >/dev/null`]))
    const between = cpuSeconds()
    times.up.push(await timed('/bin/sh', ['-c', `head -c ${bulkBytes} /dev/zero | ${line} 'cat >/dev/null'`]))
    cpu.down += between - before
    cpu.up += cpuSeconds() - between
  }
  if (round % 5 === 0) bulks += 1
}

const direct = masters[0]?.times
const ratio = (of: readonly number[], to: readonly number[] | undefined): string =>
  `${(bulkBytes / 1e3 / median(of)).toFixed(0)} (${(median(to ?? of) / median(of)).toFixed(2)})`
console.log(`${rounds} rounds, medians; bulk of ${bulkBytes / 1024 / 1024} MiB by commands: MB/s, and the share of direct`)
console.table(
  Object.fromEntries(
    masters.map(({ name, times }) => [
      name,
      {
        'connect + command, ms': median(times.login).toFixed(1),
        'command on an open connection, ms': median(times.command).toFixed(1),
        'download, MB/s': ratio(times.down, direct?.down),
        'upload, MB/s': ratio(times.up, direct?.up),
      },
    ]),
  ),
)
const perMb = (seconds: number): string => ((seconds * 1e9) / bulks / bulkBytes).toFixed(2)
console.log(`CPU of the gateway: ${perMb(cpu.down)} ms a MB down, ${perMb(cpu.up)} ms a MB up`)
for (const { child } of masters) child.kill()
await stage.close()
