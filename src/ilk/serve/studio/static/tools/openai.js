/** A request as people would send it without the page: by curl, and with OpenAI's client. */

/** A text as a shell takes it. */
const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

/** Both, for lib/lines.js. `route` is below /v1, `method` that of the client. */
export function sent(route, method, request) {
  const body = JSON.stringify(request), base = `${location.origin}/v1`;
  const python = ["import json", "from openai import OpenAI", "", `client = OpenAI(base_url=${JSON.stringify(base)}, api_key="...")`, `asked = json.loads(${JSON.stringify(body)})`, `print(client.${method}.create(**asked).choices[0])`];
  return { openai: python.join("\n"), curl: `curl ${base}/${route} -H "Authorization: Bearer $ILK_KEY" \\\n  -H 'Content-Type: application/json' -d ${quoted(body)}` };
}
