#!/bin/sh
# Makes src/postgres/builtins.data.ts from the pg_proc of real servers. Usage: builtins/make.sh 'psql -h A ...' 'psql -h B ...'
# A name is harmless where, on every server, all its overloads are immutable or stable and take no internal or cstring argument, or where it
# is in vetted.txt, and where denied.txt does not name it (regular expressions; families that read tables, files, other sessions or run text).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
query="SELECT p.proname, pg_catalog.bool_and(p.provolatile <> 'v' AND NOT ('internal'::regtype = ANY (p.proargtypes::oid[]))
    AND NOT ('cstring'::regtype = ANY (p.proargtypes::oid[])) AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype))
  FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 GROUP BY 1 ORDER BY 1"
all=$(for client in "$@"; do $client -At -F , -c "$query"; done)
harmless=$(printf '%s\n' "$all" | awk -F, '{ seen[$1]; if ($2 != "t") bad[$1] } END { for (name in seen) if (!(name in bad)) print name }' \
  | cat - "$here/vetted.txt" | grep -v '^#' | grep -v -E -f "$here/denied.txt" | LC_ALL=C sort -u)
{
  echo '// Made by builtins/make.sh from the pg_proc of PostgreSQL 15 and 18; do not edit.'
  echo
  echo '/** Functions of pg_catalog that neither change anything nor show more than their arguments and harmless facts. */'
  echo 'export const harmlessNames = `'; printf '%s\n' "$harmless" | fmt -w 128; echo '`'
} > "$here/../src/postgres/builtins.data.ts"
