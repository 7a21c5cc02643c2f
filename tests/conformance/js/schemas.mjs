// A reply against the schemas that npm `@seamapi/types` publishes: its OpenAPI document says which objects are under
// which keys of a path's reply, its zod schemas what each object must be.

/** The findings in the reply of a path, each as one line of text; none if the schemas accept it. */
export function reader({ openapi, schemas }) {
  const zodOf = { event: schemas.seam_event }
  const inline = { bridge: schemas.bridge, bridges: schemas.bridge }

  function* findings(key, schema, value) {
    const result = schema.safeParse(value)
    for (const issue of result.success ? [] : result.error.issues) {
      if (!isOurs(issue, value)) yield `${key}.${issue.path.join('.')}: ${issue.message}`
    }
  }

  return {
    reply(path, body) {
      const verbs = openapi.paths[path]
      const { properties, required } = (verbs.post ?? verbs.get).responses['200'].content['application/json'].schema
      const found = required.filter((key) => !(key in body)).map((key) => `${key} is missing`)
      if (body.ok !== true) found.push('ok is not true')
      for (const [key, about] of Object.entries(properties)) {
        const name = (about.$ref ?? about.items?.$ref)?.split('/').pop()
        let zod = inline[key] ?? zodOf[name] ?? schemas[name]
        if (!zod || !(key in body)) continue
        // Published as a whole access code, documented and sent with these two fields.
        if (key === 'generated_code') zod = zod.pick({ device_id: true, code: true })
        for (const it of about.type === 'array' ? body[key] : [body[key]]) found.push(...findings(key, zod, it))
      }
      return found
    },
    event: (event) => [...findings(event.event_type, schemas.seam_event, event)],
  }
}

/** The one value of ours in an enumeration of theirs: every type that they know is some brand's. */
function isOurs({ path }, value) {
  return path.at(-1) === 'device_type' && path.reduce((it, name) => it[name], value) === 'doorpad_keypad'
}
