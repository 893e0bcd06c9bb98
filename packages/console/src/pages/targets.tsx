// What I may reach, and how.

import { Answer, useAnswer } from '../parts/asking.js'
import { Copyable } from '../parts/copy.js'
import { Badge } from '../parts/facts.js'
import { attribute, Shown } from '../parts/shown.js'
import type { Target } from '../shapes.js'

export function TargetsPage() {
  const asked = useAnswer<readonly Target[]>('/targets')
  return (
    <>
      <h1>Targets</h1>
      <p class="quiet">What you may reach. Put your access token in the place of TOKEN; the gateway knows the rest.</p>
      <Answer asked={asked}>
        {(targets) =>
          targets.length === 0 ? (
            <p class="empty">Nothing: no grant names you or a group of yours.</p>
          ) : (
            <ul class="cards">
              {targets.map((target) => (
                <TargetCard key={target.name} target={target} />
              ))}
            </ul>
          )
        }
      </Answer>
    </>
  )
}

function TargetCard({ target }: { readonly target: Target }) {
  return (
    <li class="card">
      <h2>
        <Shown text={target.name} /> <Badge kind="protocol">{target.protocol}</Badge>
      </h2>
      <p class="labels">
        {Object.entries(target.labels).map(([key, value]) => (
          <span key={key} class="label">
            <Shown text={`${key}: ${value}`} />
          </span>
        ))}
        {target.database !== null && (
          <span class="label">
            <Shown text={`database: ${target.database}`} />
          </span>
        )}
      </p>
      {target.connection === null ? (
        <p class="quiet">The gateway has no listener for its protocol.</p>
      ) : (
        <Copyable text={target.connection} label={`connection string of ${attribute(target.name)}`} />
      )}
    </li>
  )
}
