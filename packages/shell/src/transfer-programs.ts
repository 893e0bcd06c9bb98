// The far ends of file transfers: what scp, rsync and git start on the machine they are pointed at.

import { isUnknown } from './words.js'
import { report } from './report.js'
import type { Findings } from './findings.js'
import type { Invocation, Place } from './place.js'

type Named = Invocation & { readonly name: string }
type Reader = (invocation: Named, found: Findings, place: Place) => void

function touch(direction: 'read' | 'write', paths: readonly string[], found: Findings, { directories }: Place): void {
  for (const path of paths.length === 0 ? ['\ufffd'] : paths) found.file(direction, direction, path, directories, true)
}

/** `scp -t PLACE` takes files, `scp -f FILES` gives them; what a caller's own scp would do is another matter. */
const readScp: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  const ends = args.findIndex((arg) => !arg.startsWith('-'))
  const options = ends < 0 ? args : args.slice(0, ends)
  const letters = options
    .filter((each) => each !== '--')
    .join('')
    .replaceAll('-', '')
  const far = /^[rpvdqtf]*[tf][rpvdqtf]*$/.test(letters) && letters.includes('t') !== letters.includes('f')
  if (!far || options.some(isUnknown)) return report(found, invocation, name, 'unknown', true)
  const direction = letters.includes('t') ? 'write' : 'read'
  report(found, invocation, name, direction)
  touch(direction, ends < 0 ? [] : args.slice(ends), found, place)
}

/** Long options of `rsync --server` that start nothing and name no other file. */
const plainRsync =
  /^--(server|sender|delete(-(before|during|after|delay|excluded|missing-args))?|force|ignore-errors|partial|inplace|append(-verify)?|sparse|numeric-ids|size-only|ignore-times|checksum|ignore-existing|existing|update|links|copy-links|copy-unsafe-links|safe-links|hard-links|perms|times|omit-dir-times|recursive|dirs|one-file-system|devices|specials|owner|group|acls|xattrs|fake-super|super|stats|no-[a-z-]+|max-size=\w+|min-size=\w+|bwlimit=[\w.]+|timeout=\d+|compress-level=\d+|block-size=\d+|modify-window=\d+|max-delete=\d+|log-format=[%A-Za-z]*|out-format=[%A-Za-z]*|info=\w+|debug=\w+|whole-file|new-compress|old-compress|remove-source-files|mkpath|prune-empty-dirs|fuzzy|skip-compress=[\w/]+|checksum-choice=\w+|compress-choice=\w+|secluded-args|iconv=[\w,.-]+|copy-dest-none|from0|delay-updates)$/

/** `rsync --server OPTIONS . PATHS`; with its arguments on the wire (`-s`) the paths are not known. */
const readRsync: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  const ends = args.indexOf('.')
  const options = ends < 0 ? args : args.slice(0, ends)
  const plain = options.every((each) => /^-[a-zA-Z]+(\.[a-zA-Z.]*)?$/.test(each) || plainRsync.test(each))
  if (args[0] !== '--server' || !plain) return report(found, invocation, name, 'unknown', true)
  const gives = options.includes('--sender')
  report(found, invocation, name, gives ? 'read' : 'write')
  touch(gives ? 'read' : 'write', ends < 0 ? [] : args.slice(ends + 1), found, place)
  if (gives && options.includes('--remove-source-files')) touch('write', args.slice(ends + 1), found, place)
}

/** `git-upload-pack REPOSITORY` and its like. */
const readGitPack: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  const paths = args.filter((arg) => !arg.startsWith('-'))
  const plain = args.every(
    (arg) => !arg.startsWith('-') || /^--(strict|stateless-rpc|advertise-refs|http-backend-info-refs|timeout=\d+)$/.test(arg),
  )
  if (!plain) return report(found, invocation, name, 'unknown', true)
  const takes = name === 'git-receive-pack'
  report(found, invocation, name, takes ? 'write' : 'read')
  touch(takes ? 'write' : 'read', paths, found, place)
}

/** Everything else that git can do may start other programs. */
const readGit: Reader = (invocation, found, place) => {
  const { name, args } = invocation
  const [first = '', ...rest] = args
  if (/^(receive|upload)-pack$|^upload-archive$/.test(first))
    return readGitPack({ ...invocation, name: `git-${first}`, args: rest }, found, place)
  report(found, invocation, name, 'unknown', true)
}

export const transferReaders: readonly (readonly [string, Reader])[] = [
  ['scp', readScp],
  ['rsync', readRsync],
  ['git', readGit],
  ['git-receive-pack', readGitPack],
  ['git-upload-pack', readGitPack],
  ['git-upload-archive', readGitPack],
]
