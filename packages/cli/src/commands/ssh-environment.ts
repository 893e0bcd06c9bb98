// What OpenSSH's clients need to reach ssh targets through the gateway: a configuration of their own, the gateway's host key, and a program
// that answers the question for a password with the token, which stands in the environment and nowhere else.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ReachableTarget } from '@sallyport/api'

export interface SshEnvironment {
  readonly configFile: string
  readonly variables: Readonly<Record<string, string>>
}

/** `undefined` where none of the targets is reached by SSH. The files are made in `directory`. */
export function sshEnvironment(
  targets: readonly ReachableTarget[],
  identity: string,
  hostKey: string,
  directory: string,
): SshEnvironment | undefined {
  const reached = targets.flatMap(({ name, protocol, endpoint }) =>
    protocol === 'ssh' && endpoint !== null ? [{ name, endpoint }] : [],
  )
  if (reached.length === 0) return undefined
  const knownHosts = join(directory, 'known_hosts')
  const configFile = join(directory, 'ssh_config')
  const askpass = join(directory, 'askpass')
  writeFileSync(knownHosts, `sallyport ${hostKey}\n`)
  writeFileSync(askpass, `#!/bin/sh\nprintf '%s\\n' "$SALLYPORT_TOKEN"\n`, { mode: 0o700 })
  writeFileSync(
    configFile,
    reached
      .map(
        ({ name, endpoint }) => `Host ${name}
  HostName ${endpoint.host}
  Port ${endpoint.port}
  User ${identity}:${name}
  HostKeyAlias sallyport
  UserKnownHostsFile ${knownHosts}
  StrictHostKeyChecking yes
  PreferredAuthentications password
  NumberOfPasswordPrompts 1
`,
      )
      .join(''),
    { mode: 0o600 },
  )
  return {
    configFile,
    variables: {
      SALLYPORT_SSH_CONFIG: configFile,
      GIT_SSH_COMMAND: `ssh -F ${configFile}`,
      RSYNC_RSH: `ssh -F ${configFile}`,
      SSH_ASKPASS: askpass,
      SSH_ASKPASS_REQUIRE: 'force',
    },
  }
}
