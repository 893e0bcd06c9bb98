// The one question asked of a PostgreSQL server (13 to 18, any role) to know its names. One row, one text cell of JSON.
// Everything is schema-qualified, so the session's search_path changes nothing but what `schemas` reports and how view definitions
// are spelled, and these two belong together. Object ids from 16384 (FirstNormalObjectId, access/transam.h) are made by users or extensions.

const isOrdinary = `n.nspname NOT IN ('pg_catalog', 'information_schema')`

// Spelling a view locks it and what it reads. Where somebody's open transaction is about to change one of these it would wait for its end; such a
// view's definition is told as empty, which reads as not understood.
const definition = `
  CASE WHEN EXISTS (
    SELECT FROM pg_catalog.pg_locks l
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      AND (l.relation = c.oid OR l.relation IN (
        SELECT d.refobjid FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        WHERE r.ev_class = c.oid))
  ) THEN '' ELSE COALESCE(pg_catalog.pg_get_viewdef(c.oid), '') END`

const relations = `
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8, n.nspname, c.relname, c.relkind, a.columns,
           CASE WHEN c.relkind IN ('v', 'm') AND ${isOrdinary} THEN ${definition} END))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (
    SELECT attrelid, pg_catalog.json_agg(pg_catalog.json_build_array(attnum, attname, atttypid::pg_catalog.int8, atttypmod,
             pg_catalog.format_type(atttypid, atttypmod), attgenerated <> '') ORDER BY attnum) AS columns
    FROM pg_catalog.pg_attribute WHERE attnum > 0 AND NOT attisdropped GROUP BY attrelid
  ) a ON a.attrelid = c.oid
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname <> 'pg_toast'`

const parents = `
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(inhrelid::pg_catalog.int8, inhparent::pg_catalog.int8)) FROM pg_catalog.pg_inherits`

const references = `
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(conrelid::pg_catalog.int8, confrelid::pg_catalog.int8))
  FROM pg_catalog.pg_constraint WHERE contype = 'f'`

const viewReads = `
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(r.ev_class::pg_catalog.int8, d.refobjid::pg_catalog.int8, d.refobjsubid))
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  WHERE r.rulename = '_RETURN' AND r.ev_class >= 16384 AND d.refobjid <> r.ev_class`

// What a generated column is made of: its expression's dependencies, kept with the expression from 15 on, with the column before (heap.c).
const generatedFrom = `
  SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(a.attrelid::pg_catalog.int8, a.attnum, d.refobjsubid))
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid AND d.refobjsubid > 0
   AND ((d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = e.oid)
     OR (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum))
  WHERE a.attgenerated <> '' AND d.refobjsubid <> a.attnum`

const rules = `
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(ev_class::pg_catalog.int8, ev_type))
  FROM pg_catalog.pg_rewrite WHERE oid >= 16384 AND rulename <> '_RETURN'`

const types = `
  SELECT pg_catalog.json_agg(pg_catalog.json_build_array(t.oid::pg_catalog.int8, n.nspname, t.typname, t.typtype,
           t.typbasetype::pg_catalog.int8, t.typtypmod))
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  WHERE t.typtype = 'd' OR t.oid IN (SELECT atttypid FROM pg_catalog.pg_attribute WHERE attnum > 0)
     OR t.oid IN (SELECT typbasetype FROM pg_catalog.pg_type)`

// `extension` is null for what a user made; membership decides whether a name is one of the known pure extensions' own.
const memberOf = (catalog: string): string => `
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass AND d.objid = o.oid AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid`

const functions = `
  SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(n.nspname, o.proname, e.extname,
           o.prorettype IN ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)))
  FROM pg_catalog.pg_proc o JOIN pg_catalog.pg_namespace n ON n.oid = o.pronamespace ${memberOf('pg_proc')}
  WHERE o.oid >= 16384`

const operators = `
  SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(n.nspname, o.oprname, e.extname))
  FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace ${memberOf('pg_operator')}
  WHERE o.oid >= 16384`

const casts = `
  SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(sn.nspname, s.typname, tn.nspname, t.typname, e.extname,
           pn.nspname::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) p.proname::pg_catalog.text))
  FROM pg_catalog.pg_cast o
  JOIN pg_catalog.pg_type s ON s.oid = o.castsource JOIN pg_catalog.pg_namespace sn ON sn.oid = s.typnamespace
  JOIN pg_catalog.pg_type t ON t.oid = o.casttarget JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
  JOIN pg_catalog.pg_proc p ON p.oid = o.castfunc JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
  ${memberOf('pg_cast')}
  WHERE o.oid >= 16384`

/** Run it as the session's own role in the session's own search_path; hand the cell to `parsePostgresCatalog`. */
export const postgresCatalogQuery = `SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'user', current_user,
  'schemas', pg_catalog.to_json(pg_catalog.current_schemas(true)),
  'relations', (${relations}),
  'parents', (${parents}),
  'references', (${references}),
  'viewReads', (${viewReads}),
  'generatedFrom', (${generatedFrom}),
  'rules', (${rules}),
  'types', (${types}),
  'functions', (${functions}),
  'operators', (${operators}),
  'casts', (${casts})
)::pg_catalog.text AS catalog`
