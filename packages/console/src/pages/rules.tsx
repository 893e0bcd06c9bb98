// The rules and grants in force, as they were written. To change them: `sallyport apply`.

import { Answer, useAnswer } from '../parts/asking.js'
import { Badge, Fact, Facts } from '../parts/facts.js'
import { Shown } from '../parts/shown.js'
import { linesOf } from '../rule-words.js'
import type { Definitions, Rule } from '../shapes.js'
import { counted } from '../words.js'

export function RulesPage() {
  const asked = useAnswer<Definitions>('/definitions')
  return (
    <>
      <h1>Rules in force</h1>
      <Answer asked={asked}>
        {({ revision, definitions }) => (
          <>
            <p class="quiet">
              Revision {revision}: {counted(definitions.rules.length, 'rule', 'rules')},{' '}
              {counted(definitions.grants.length, 'grant', 'grants')}. All that match count; deny is stronger than review, review
              than mask, mask than allow.
            </p>
            <ul class="cards">
              {definitions.rules.map((rule) => (
                <RuleCard key={rule.name} rule={rule} />
              ))}
            </ul>
            <h2>Grants</h2>
            <ul class="rows">
              {definitions.grants.map((grant) => (
                <li key={JSON.stringify(grant)}>
                  <Lines written={grant} />
                </li>
              ))}
            </ul>
          </>
        )}
      </Answer>
    </>
  )
}

function RuleCard({ rule }: { readonly rule: Rule }) {
  return (
    <li class="card">
      <h2>
        <Badge kind={rule.then}>{rule.then}</Badge> <Shown text={rule.name} />
      </h2>
      {rule.reason !== undefined && (
        <p>
          <Shown text={rule.reason} />
        </p>
      )}
      <Lines written={rule} />
    </li>
  )
}

function Lines({ written }: { readonly written: Readonly<Record<string, unknown>> }) {
  return (
    <Facts>
      {linesOf(written, ['name', 'then', 'reason']).map(({ name, value }) => (
        <Fact key={name} name={name}>
          <Shown text={value} />
        </Fact>
      ))}
    </Facts>
  )
}
